// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Between latents [channels, frames, height, width] and tokens: a token is a 2 x 2 patch of one
// frame; tokens are in order of frame, row, column (docs/spec 2.1 and 2.5). The two directions
// order a token's values differently, as published.
#pragma once

#include <cstdint>

namespace longtake {

struct LatentShape {
  int64_t channels = 0;
  int64_t frames = 0;
  int64_t height = 0;  // even
  int64_t width = 0;   // even
};

// tokens [frames * height / 2 * width / 2, channels * 4], values in order channel, dy, dx.
void Patchify(const LatentShape& shape, const float* latents, float* tokens);
// Inverse for the head's output, whose values are in order dy, dx, channel.
void Unpatchify(const LatentShape& shape, const float* tokens, float* latents);

}  // namespace longtake
