// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The convolutions blocks are made of (docs/spec 6.1): causal in time with an entry of the cache,
// or on single frames. Packed weights; immutable.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/model/vae/block.h"

namespace longtake {

// Packs <name>.weight and <name>.bias; null after an error of the lookup. first_out and out_count
// pick a range of output channels of the published tensor; out_count 0 takes all.
struct VaeConvName {
  std::string name;
  ConvShape shape;  // as published
  int64_t first_out = 0;
  int64_t out_count = 0;
};
std::unique_ptr<ConvWeights> PackVaeConv(const VaeBlockSource& source, const VaeConvName& conv);

// Frames of x's grid, for out_channels.
absl::StatusOr<std::vector<VaeFrame>> TakeLike(VaeCall& call, const VaeFrames& x, int64_t channels);

// One frame from one, whose address the result refers to.
ConvFrame OnFrame(const DevicePtr<const float>& in, const VaeFrame& out);

// y = norm(x), one frame each, into frames of the pool.
struct VaeNorm {
  DeviceBuffer gamma;  // [width]
  bool silu = true;
  VaeNorm() = default;
  VaeNorm(const VaeBlockSource& source, const std::string& name, int64_t width);
  absl::Status Run(VaeCall& call, const VaeFrames& x, VaeFrames& y) const;
};

// 3 x taps x taps over an entry's frames and x's. Takes x's frames: the newest stay in the entry,
// the rest returns to the pool.
struct VaeCausalConv {
  std::unique_ptr<ConvWeights> weights;
  size_t entry = 0;
  int64_t pad = 1;          // in space
  bool accumulate = false;  // out += instead of out =

  // out has one frame for each of x.
  void Sum(VaeCall& call, const VaeFrames& x, std::vector<VaeFrame>& out) const;
  void Remember(VaeCall& call, VaeFrames& x) const;
};

}  // namespace longtake
