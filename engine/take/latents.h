// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Latents of some frames, [channels, frames, height, width] in fp32 as the transformer takes them,
// with their memory. The values of a frame lie apart, some in each channel, so frames are copied
// here and nowhere else. A plain value. Sizes must be checked before: those of a resolved spec
// overflow no product. Frames that do not exist or have another shape are our own mistake and end
// the program.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/vae/latent_grid.h"

namespace longtake {

class Latents {
 public:
  Latents() = default;                                // of no frames
  Latents(int64_t channels, const LatentGrid& grid);  // zeros
  Latents(int64_t channels, const LatentGrid& grid, std::vector<float> values);

  int64_t channels() const { return channels_; }
  const LatentGrid& grid() const { return grid_; }
  int64_t frames() const { return grid_.frames; }
  std::span<const float> values() const { return values_; }
  std::span<float> values() { return values_; }

  // A copy of count frames from first on.
  Latents Frames(int64_t first, int64_t count) const;
  // All frames of from replace those from first on.
  void SetFrames(int64_t first, const Latents& from);

  friend bool operator==(const Latents&, const Latents&) = default;

 private:
  // Copies count frames, in from beginning at from_first, here at first.
  void CopyFrames(const Latents& from, int64_t from_first, int64_t first, int64_t count);

  int64_t channels_ = 0;
  LatentGrid grid_ = {.frames = 0};
  std::vector<float> values_;
};

}  // namespace longtake
