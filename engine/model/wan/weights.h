// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The resident tensors of the Wan transformer, by role, in memory of the device.
#pragma once

#include <array>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/model/tensor_lookup.h"
#include "engine/model/wan/config.h"
#include "engine/model/wan/layout.h"

namespace longtake {

struct WanAttentionVectors {
  DevicePtr<const float> q_bias = {};
  DevicePtr<const float> k_bias = {};
  DevicePtr<const float> v_bias = {};
  DevicePtr<const float> out_bias = {};
  DevicePtr<const float> q_gain = {};
  DevicePtr<const float> k_gain = {};
};

struct WanBlockVectors {
  DevicePtr<const float> modulation = {};  // [6, width]
  WanAttentionVectors self;
  WanAttentionVectors text;
  DevicePtr<const float> text_norm_gain = {};  // null without cross_attn_norm
  DevicePtr<const float> text_norm_bias = {};
  DevicePtr<const float> up_bias = {};
  DevicePtr<const float> down_bias = {};
  std::array<DevicePtr<const float>, kWanMatrixCount> scales = {};  // of int8 matrices, else null
};

struct WanWeights {
  Weight patch;  // [width, channels * 4]
  DevicePtr<const float> patch_bias = {};
  Weight text_in;
  DevicePtr<const float> text_in_bias = {};
  Weight text_out;
  DevicePtr<const float> text_out_bias = {};
  DevicePtr<const float> head_modulation = {};  // [2, width]
  Weight head;
  DevicePtr<const float> head_bias = {};
  std::vector<WanBlockVectors> blocks;
};

// Problems are in lookup.status().
WanWeights FindWanWeights(const WanConfig& config, ParameterLookup& lookup);

}  // namespace longtake
