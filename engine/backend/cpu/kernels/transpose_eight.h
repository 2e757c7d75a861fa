// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Eight rows of eight floats become eight columns. For kernel files only, as simd.h.
#pragma once

#include "engine/backend/cpu/simd.h"

namespace longtake {
namespace LONGTAKE_ISA {

LT_INLINE void TransposeEight(__m256 (&rows)[8]) {
  __m256 pair[8];
  LT_UNROLL
  for (int i = 0; i < 4; ++i) {
    pair[2 * i] = _mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
    pair[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
  }
  __m256 quad[8];
  LT_UNROLL
  for (int i = 0; i < 8; i += 4) {
    quad[i] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
    quad[i + 1] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0xee);
    quad[i + 2] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
    quad[i + 3] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xee);
  }
  LT_UNROLL
  for (int i = 0; i < 4; ++i) {
    rows[i] = _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x20);
    rows[i + 4] = _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x31);
  }
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
