// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The register tile under Linear and Attention: c[r][n] continues its chain of fused multiply-adds
// over k in order. The tile's shape only decides what is computed together, never a bit.
#pragma once

#include "engine/backend/cpu/simd.h"

namespace longtake {
namespace LONGTAKE_ISA {

// 14 x 32 fills the 32 registers of AVX-512 (28 sums, two columns, one row value), 6 x 16 the 16 of
// AVX2.
inline constexpr int kTileRows = kIsAvx512 ? 14 : 6;
inline constexpr int kTileVectors = kIsAvx512 ? 2 : 1;

// sums[r][v] += a[r, k] * b[k, 16 v ..] for k = 0 .. depth - 1 in order; rows of a and b are
// kAStride and kBStride apart.
template <int kRows, int kVectors, int64_t kAStride, int64_t kBStride>
LT_INLINE void FmaChains(F32x16 (&sums)[kRows][kVectors], const float* a, const float* b,
                         int64_t depth) {
  for (int64_t k = 0; k < depth; ++k, ++a, b += kBStride) {
    F32x16 columns[kVectors];
    LT_UNROLL
    for (int v = 0; v < kVectors; ++v) columns[v] = Load(b + v * kLanes);
    LT_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const F32x16 x = Broadcast(a[r * kAStride]);
      LT_UNROLL
      for (int v = 0; v < kVectors; ++v) sums[r][v] = Fma(x, columns[v], sums[r][v]);
    }
  }
}

// Where tile number index of count begins when rows are shared out evenly.
LT_INLINE int64_t TileBegin(int64_t rows, int64_t index, int64_t count) {
  return rows * index / count;
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
