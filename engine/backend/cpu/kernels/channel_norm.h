// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace longtake {

// out = silu?(in / max(|in|_2, 1e-12) * sqrt(width) * gamma) per row (docs/spec 6.1). The sum of
// squares runs over 8 fixed lanes (channel modulo 8) and one fixed tree.
struct ChannelNormTask {
  const float* in = nullptr;  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  float root_width = 0.0f;  // sqrt(width)
  const float* gamma = nullptr;
  bool silu = false;
  float* out = nullptr;
};

}  // namespace longtake
