// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The resident tensors of the Wan transformer, by role. Pointers into the resident section.
#pragma once

#include <array>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/model/tensor_lookup.h"
#include "engine/model/wan/config.h"
#include "engine/model/wan/layout.h"

namespace longtake {

struct WanAttentionVectors {
  const float* q_bias = nullptr;
  const float* k_bias = nullptr;
  const float* v_bias = nullptr;
  const float* out_bias = nullptr;
  const float* q_gain = nullptr;
  const float* k_gain = nullptr;
};

struct WanBlockVectors {
  const float* modulation = nullptr;  // [6, width]
  WanAttentionVectors self;
  WanAttentionVectors text;
  const float* text_norm_gain = nullptr;  // null without cross_attn_norm
  const float* text_norm_bias = nullptr;
  const float* up_bias = nullptr;
  const float* down_bias = nullptr;
  std::array<const float*, kWanMatrixCount> scales = {};  // of int8 matrices, else null
};

struct WanWeights {
  Weight patch;  // [width, channels * 4]
  const float* patch_bias = nullptr;
  Weight text_in;
  const float* text_in_bias = nullptr;
  Weight text_out;
  const float* text_out_bias = nullptr;
  const float* head_modulation = nullptr;  // [2, width]
  Weight head;
  const float* head_bias = nullptr;
  std::vector<WanBlockVectors> blocks;
};

// Problems are in lookup.status().
WanWeights FindWanWeights(const WanConfig& config, ResidentLookup& lookup);

}  // namespace longtake
