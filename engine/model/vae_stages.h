// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The VAE as two lists of stages (docs/spec 6.2, 6.4). Layout, cache and execution all follow from
// these lists, so they cannot disagree. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/model/component_layout.h"
#include "engine/model/vae_config.h"

namespace longtake {

enum class VaeStageKind {
  kPointwise,  // 1x1x1
  kConv,       // causal 3x3x3
  kRes,
  kAttention,
  kUp2d,
  kUp3d,  // doubles the frames too, except in the first call
  kDown2d,
  kDown3d,
  kHead,  // norm, SiLU, causal 3x3x3
};

struct VaeStage {
  VaeStageKind kind = VaeStageKind::kPointwise;
  std::string prefix;  // of its published tensor names
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  // The finest grid is 8 times the latent's: 1 << level. Of the input; of the output for kDown*.
  int64_t level = 0;
};

// A convolution's memory between calls: its last input frames, channels-last.
struct VaeSlotShape {
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t frames_max = 0;
  int64_t frame_floats() const { return channels * height * width; }
};

std::vector<VaeStage> VaeDecoderStages(const VaeConfig& config);
std::vector<VaeStage> VaeEncoderStages(const VaeConfig& config);

// The published tensors of a stage.
std::vector<TensorSpec> VaeStageTensors(const VaeStage& stage);

int64_t VaeSlotCount(const VaeStage& stage);
// In order of execution. height and width are the latent's.
std::vector<VaeSlotShape> VaeSlots(const std::vector<VaeStage>& stages, int64_t height,
                                   int64_t width);

// Everything resident, encoder included.
ComponentLayout WanVaeLayout(const VaeConfig& config);

}  // namespace longtake
