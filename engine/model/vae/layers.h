// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The VAE as two lists of layers (docs/spec 6.2, 6.4). Layout, cache and execution all follow from
// these lists, so they cannot disagree. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/model/component_layout.h"
#include "engine/model/vae/config.h"

namespace longtake {

enum class VaeLayerKind {
  kPointwise,  // 1x1x1
  kConv,       // causal 3x3x3
  kRes,
  kAttention,
  kUp2d,
  kUp3d,  // doubles the frames too, except in the first call
  kDown2d,
  kDown3d,
  kHead,  // norm, SiLU, causal 3x3x3
  // Of the tiny decoder (docs/spec 6.6), all on single frames.
  kPlainConv,  // 3x3, perhaps ReLU
  kPlainUp,    // the same through a nearest 2x upsampling, without bias
  kGrow,       // 1x1 without bias, each frame becomes several
  kMemory,     // three 3x3 with ReLU over a frame and the one before it, plus the input
};

struct VaeLayer {
  VaeLayerKind kind = VaeLayerKind::kPointwise;
  std::string prefix;  // of its published tensor names
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  // The input's grid (for kDown* the output's) is the latent's times 1 << level; pixels are level
  // 3.
  int64_t level = 0;
  int64_t growth = 1;  // of kGrow: frames that come of one
  bool bias = true;    // of kPlainConv
  bool relu = false;   // of kPlainConv and kPlainUp
};

// A convolution's memory between calls: its last input frames, channels-last.
struct VaeCacheEntryShape {
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t frames_max = 0;
  // After the first call it is never empty: downsampling in time has nothing to fall back on.
  bool needed = false;
  int64_t frame_floats() const { return channels * height * width; }
};

std::vector<VaeLayer> VaeDecoderLayers(const VaeConfig& config);
std::vector<VaeLayer> VaeEncoderLayers(const VaeConfig& config);

// The published tensors of a layer.
std::vector<TensorSpec> VaeLayerTensors(const VaeLayer& layer);

int64_t VaeCacheEntryCount(const VaeLayer& layer);
// In order of execution. height and width are the latent's.
std::vector<VaeCacheEntryShape> VaeCacheEntries(const std::vector<VaeLayer>& layers, int64_t height,
                                                int64_t width);

// Latents of a stream after which a decoder's cache no longer depends on those before: from there
// on it is, bit for bit, that of the whole stream.
int64_t WarmUpLatents(const std::vector<VaeLayer>& decoder_layers);

// Everything resident, encoder included.
ComponentLayout WanVaeLayout(const VaeConfig& config);

// TAEHV's decoder with weights taew2_1: latents of 16 channels as the transformer makes them to
// pixels in [0, 1]. Its first three frames are dropped.
std::vector<VaeLayer> TinyDecoderLayers();
inline constexpr int64_t kTinyDecoderChannels = 16;
// Component "tiny_decoder"; the published file's encoder is left out.
ComponentLayout TinyDecoderLayout();

}  // namespace longtake
