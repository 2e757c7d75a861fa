// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/patches.h"

#include "engine/model/wan/token_grid.h"

namespace longtake {
namespace {

// Calls visit(latent index, token, channel, dy * 2 + dx) for every value.
template <typename Visit>
void ForEachValue(const LatentShape& shape, Visit visit) {
  const TokenGrid grid = TokenGrid::FromLatents(shape.height, shape.width);
  int64_t latent = 0;
  for (int64_t c = 0; c < shape.channels; ++c) {
    for (int64_t f = 0; f < shape.frames; ++f) {
      for (int64_t y = 0; y < shape.height; ++y) {
        const int64_t row = (f * grid.height + y / kPatchSide) * grid.width;
        for (int64_t x = 0; x < shape.width; ++x) {
          visit(latent++, row + x / kPatchSide, c, y % kPatchSide * kPatchSide + x % kPatchSide);
        }
      }
    }
  }
}

}  // namespace

void Patchify(const LatentShape& shape, const float* latents, float* tokens) {
  ForEachValue(shape, [&](int64_t latent, int64_t token, int64_t channel, int64_t corner) {
    tokens[(token * shape.channels + channel) * kPatchLatents + corner] = latents[latent];
  });
}

void Unpatchify(const LatentShape& shape, const float* tokens, float* latents) {
  ForEachValue(shape, [&](int64_t latent, int64_t token, int64_t channel, int64_t corner) {
    latents[latent] = tokens[(token * kPatchLatents + corner) * shape.channels + channel];
  });
}

}  // namespace longtake
