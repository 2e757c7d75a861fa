// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/patches.h"

namespace longtake {
namespace {

// Calls visit(latent index, token, channel, dy * 2 + dx) for every value.
template <typename Visit>
void ForEachValue(const LatentShape& shape, Visit visit) {
  int64_t latent = 0;
  for (int64_t c = 0; c < shape.channels; ++c) {
    for (int64_t f = 0; f < shape.frames; ++f) {
      for (int64_t y = 0; y < shape.height; ++y) {
        const int64_t row = (f * (shape.height / 2) + y / 2) * (shape.width / 2);
        for (int64_t x = 0; x < shape.width; ++x) {
          visit(latent++, row + x / 2, c, (y % 2) * 2 + x % 2);
        }
      }
    }
  }
}

}  // namespace

void Patchify(const LatentShape& shape, const float* latents, float* tokens) {
  ForEachValue(shape, [&](int64_t latent, int64_t token, int64_t channel, int64_t corner) {
    tokens[(token * shape.channels + channel) * 4 + corner] = latents[latent];
  });
}

void Unpatchify(const LatentShape& shape, const float* tokens, float* latents) {
  ForEachValue(shape, [&](int64_t latent, int64_t token, int64_t channel, int64_t corner) {
    latents[latent] = tokens[(token * 4 + corner) * shape.channels + channel];
  });
}

}  // namespace longtake
