// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Rows and columns of a latent frame's tokens: each is a patch of 2 x 2 latents (docs/spec 2.1).
#pragma once

#include <cstdint>

namespace longtake {

inline constexpr int64_t kPatchSide = 2;  // latents of a token, in height and in width
inline constexpr int64_t kPatchLatents = kPatchSide * kPatchSide;

struct TokenGrid {
  int64_t height = 0;
  int64_t width = 0;

  // Of a latent frame, whose height and width are multiples of kPatchSide.
  static constexpr TokenGrid FromLatents(int64_t height, int64_t width) {
    return {.height = height / kPatchSide, .width = width / kPatchSide};
  }
  constexpr int64_t tokens() const { return height * width; }
};

}  // namespace longtake
