// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The eight tile registers as this project uses them: a block of 32 x 32 sums in tiles 0 to 3, two
// tiles of 16 rows on the left (4, 5), two of 16 columns on the right (6, 7). Rows on the left lie
// in memory as they are, 64 bytes a step; columns on the right as panels of words
// (word_panel.h). For kernel files only, as simd.h.
#pragma once

#include "engine/backend/cpu/simd.h"
#include "engine/backend/cpu/tile_config.h"

namespace longtake {
namespace LONGTAKE_ISA {

inline constexpr int64_t kTileSide = 32;                   // of a block of sums
inline constexpr int64_t kTileBytes = 64;                  // of a row, per step
inline constexpr int64_t kTileWords = 16;                  // of a column, per step
inline constexpr int64_t kTileSize = kTileWords * kLanes;  // in words

LT_INLINE void ConfigureTiles() { _tile_loadconfig(&kTileConfig); }

LT_INLINE void ReleaseTiles() { _tile_release(); }

enum class Product { kBytes, kBf16 };

// The left rows and the right panel of one block of sums.
struct TileOperands {
  const uint8_t* left = nullptr;
  int64_t left_stride = 0;  // bytes between rows
  int64_t left_step = 0;    // bytes between steps
  const int32_t* right = nullptr;
  int64_t right_stride = 0;  // words between rows of the panel
  int64_t right_other = 0;   // words from the first sixteen columns to the others
  int64_t right_step = 0;    // words between steps
  // What to bring to L2 meanwhile, cache lines per step.
  const uint8_t* next = nullptr;
  int64_t next_lines = 0;
};

// sums[32][sum_stride] = left x right over steps of 64 bytes, from zero.
template <Product kProduct>
LT_INLINE void MultiplyTiles(const TileOperands& operands, int64_t steps, void* sums,
                             int64_t sum_stride) {
  // GCC's tile loads do not say that they read memory: stores before them must be done by now.
  asm volatile("" ::: "memory");
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  const uint8_t* left = operands.left;
  const int32_t* right = operands.right;
  const auto left_stride = static_cast<size_t>(operands.left_stride);
  const auto right_stride = static_cast<size_t>(operands.right_stride) * 4;
  const uint8_t* next = operands.next;
  for (int64_t i = 0; i < steps; ++i) {
    for (int64_t line = 0; line < operands.next_lines; ++line, next += kTileBytes) {
      _mm_prefetch(next, _MM_HINT_T1);
    }
    _tile_loadd(4, left, left_stride);
    _tile_loadd(6, right, right_stride);
    _tile_loadd(7, right + operands.right_other, right_stride);
    _tile_loadd(5, left + 16 * operands.left_stride, left_stride);
    if constexpr (kProduct == Product::kBytes) {
      _tile_dpbusd(0, 4, 6);
      _tile_dpbusd(1, 4, 7);
      _tile_dpbusd(2, 5, 6);
      _tile_dpbusd(3, 5, 7);
    } else {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    left += operands.left_step;
    right += operands.right_step;
  }
  auto* out = static_cast<int32_t*>(sums);
  const auto out_stride = static_cast<size_t>(sum_stride) * 4;
  _tile_stored(0, out, out_stride);
  _tile_stored(1, out + kLanes, out_stride);
  _tile_stored(2, out + 16 * sum_stride, out_stride);
  _tile_stored(3, out + 16 * sum_stride + kLanes, out_stride);
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
