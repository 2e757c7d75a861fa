// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/take/latents.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace longtake {

Latents::Latents(int64_t channels, const LatentGrid& grid)
    : Latents(channels, grid, std::vector<float>(static_cast<size_t>(channels * grid.volume()))) {}

Latents::Latents(int64_t channels, const LatentGrid& grid, std::vector<float> values)
    : channels_(channels), grid_(grid), values_(std::move(values)) {
  LT_CHECK(std::ssize(values_) == channels * grid.volume());
}

Latents Latents::Frames(int64_t first, int64_t count) const {
  Latents out(channels_, grid_.WithFrames(count));
  out.CopyFrames(*this, first, 0, count);
  return out;
}

void Latents::SetFrames(int64_t first, const Latents& from) {
  CopyFrames(from, 0, first, from.frames());
}

void Latents::CopyFrames(const Latents& from, int64_t from_first, int64_t first, int64_t count) {
  LT_CHECK(from.channels_ == channels_ && from.grid_.WithFrames(frames()) == grid_);
  LT_CHECK(first >= 0 && count <= frames() - first);
  LT_CHECK(from_first >= 0 && count <= from.frames() - from_first);
  const int64_t area = grid_.area();
  for (int64_t channel = 0; channel < channels_; ++channel) {
    std::copy_n(from.values_.begin() + (channel * from.frames() + from_first) * area, count * area,
                values_.begin() + (channel * frames() + first) * area);
  }
}

}  // namespace longtake
