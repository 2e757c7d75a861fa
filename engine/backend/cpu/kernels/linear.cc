// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A group of columns is widened and transposed to panels [depth][32] in L2, once; then all rows
// pass by, one register tile at a time. A sum that is not finished at the end of a depth block
// waits in out and continues as the same chain.
#include "engine/backend/cpu/kernels/linear.h"

#include "engine/backend/cpu/fma_tile.h"
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/linear_finish.h"
#include "engine/backend/cpu/simd.h"

namespace longtake::LONGTAKE_ISA {
namespace {

struct Tile {
  const float* in = nullptr;     // rows kLinearInStride apart
  const float* panel = nullptr;  // [depth][kLinearColumns]
  int64_t depth = 0;
  float* out = nullptr;
  int64_t out_stride = 0;
  int64_t columns = 0;  // that exist, at most kLinearColumns
  bool first = false;   // sums start from zero
  bool last = false;    // sums end here
  const float* bias = nullptr;
  // Rows of the next tile's input, asked for while this one is computed.
  const float* prefetch = nullptr;
  int64_t prefetch_rows = 0;
  int64_t prefetch_stride = 0;
};

// The chains of a whole depth block. Cache lines are asked for a few at a time: a burst would
// stall.
template <int kRows>
LT_INLINE void ComputeSums(const Tile& tile, int64_t column, F32x16 (&sums)[kRows][kTileVectors]) {
  for (int64_t k = 0; k < tile.depth; k += kLanes) {
    for (int64_t r = 0; r < tile.prefetch_rows; ++r) {
      _mm_prefetch(tile.prefetch + r * tile.prefetch_stride + k, _MM_HINT_T1);
    }
    const int64_t steps = tile.depth - k < kLanes ? tile.depth - k : kLanes;
    FmaChains<kRows, kTileVectors, kLinearInStride, kLinearColumns>(
        sums, tile.in + k, tile.panel + column + k * kLinearColumns, steps);
  }
}

template <int kRows>
void ComputeTile(const Tile& tile) {
  for (int64_t column = 0; column < tile.columns; column += kTileVectors * kLanes) {
    Mask16 masks[kTileVectors];
    LT_UNROLL
    for (int v = 0; v < kTileVectors; ++v) {
      masks[v] = FirstLanes(tile.columns - column - v * kLanes);
    }
    float* out = tile.out + column;
    F32x16 sums[kRows][kTileVectors];
    LT_UNROLL
    for (int r = 0; r < kRows; ++r) {
      LT_UNROLL
      for (int v = 0; v < kTileVectors; ++v) {
        const float* from = out + r * tile.out_stride + v * kLanes;
        sums[r][v] = tile.first ? Zero() : LoadMasked(masks[v], from);
      }
    }
    ComputeSums<kRows>(tile, column, sums);
    const bool add_bias = tile.last && tile.bias != nullptr;
    LT_UNROLL
    for (int v = 0; v < kTileVectors; ++v) {
      const F32x16 bias = add_bias ? LoadMasked(masks[v], tile.bias + column + v * kLanes) : Zero();
      LT_UNROLL
      for (int r = 0; r < kRows; ++r) {
        const F32x16 sum = add_bias ? Add(sums[r][v], bias) : sums[r][v];
        StoreMasked(out + r * tile.out_stride + v * kLanes, masks[v], sum);
      }
    }
  }
}

// At most kTileRows.
template <int kRows>
inline constexpr auto kComputeTile = ComputeTile<(kRows < kTileRows ? kRows : kTileRows)>;

constexpr void (*kTiles[])(const Tile&) = {
    nullptr,          kComputeTile<1>,  kComputeTile<2>,  kComputeTile<3>,  kComputeTile<4>,
    kComputeTile<5>,  kComputeTile<6>,  kComputeTile<7>,  kComputeTile<8>,  kComputeTile<9>,
    kComputeTile<10>, kComputeTile<11>, kComputeTile<12>, kComputeTile<13>, kComputeTile<14>};

// Sixteen columns of a panel from sixteen rows of weights; those at and beyond count are zero.
LT_INLINE void PackBf16(const uint16_t* weight, int64_t stride, int64_t count, int64_t depth,
                        float* panel) {
  int64_t k = 0;
  for (; k + 32 <= depth; k += 32) {
    F32x16 pairs[16];
    LT_UNROLL
    for (int c = 0; c < 16; ++c) {
      pairs[c] = c < count ? Load(reinterpret_cast<const float*>(weight + c * stride + k)) : Zero();
    }
    Transpose16(pairs);
    LT_UNROLL
    for (int i = 0; i < 16; ++i) {
      Store(panel + (k + 2 * i) * kLinearColumns, WidenLow(pairs[i]));
      Store(panel + (k + 2 * i + 1) * kLinearColumns, WidenHigh(pairs[i]));
    }
  }
  for (; k < depth; ++k) {
    for (int64_t c = 0; c < 16; ++c) {
      const uint32_t bits = c < count ? static_cast<uint32_t>(weight[c * stride + k]) << 16 : 0u;
      panel[k * kLinearColumns + c] = __builtin_bit_cast(float, bits);
    }
  }
}

LT_INLINE void PackF32(const float* weight, int64_t stride, int64_t count, int64_t depth,
                       float* panel) {
  for (int64_t k = 0; k < depth; k += kLanes) {
    const Mask16 mask = FirstLanes(depth - k);
    F32x16 block[16];
    LT_UNROLL
    for (int c = 0; c < 16; ++c) {
      block[c] = c < count ? LoadMasked(mask, weight + c * stride + k) : Zero();
    }
    Transpose16(block);
    const int rows = depth - k < kLanes ? static_cast<int>(depth - k) : kLanes;
    for (int i = 0; i < rows; ++i) Store(panel + (k + i) * kLinearColumns, block[i]);
  }
}

// Columns [begin, begin + 32) of the depth block at k.
void PackPanel(const LinearTask& task, int64_t begin, int64_t k, int64_t depth, float* panel) {
  for (int64_t half = 0; half < kLinearColumns; half += kLanes) {
    const int64_t column = begin + half;
    const int64_t count = task.column_end - column;
    const int64_t offset = (count > 0 ? column : begin) * task.in_features + k;
    if (task.weight_is_bf16) {
      PackBf16(static_cast<const uint16_t*>(task.weight) + offset, task.in_features, count, depth,
               panel + half);
    } else {
      PackF32(static_cast<const float*>(task.weight) + offset, task.in_features, count, depth,
              panel + half);
    }
  }
}

LT_INLINE void CopyRows(const float* in, int64_t stride, int64_t rows, int64_t depth, float* to) {
  for (int64_t r = 0; r < rows; ++r, in += stride, to += kLinearInStride) {
    int64_t k = 0;
    for (; k + kLanes <= depth; k += kLanes) Store(to + k, Load(in + k));
    if (k < depth) Store(to + k, LoadMasked(FirstLanes(depth - k), in + k));
  }
}

// One register tile's rows through all panels of the group.
void ComputeRows(const LinearTask& task, int64_t row, int64_t rows, int64_t k, int64_t depth) {
  const float* panels = task.scratch;
  float* in = task.scratch + kLinearGroupColumns * kLinearDepth;
  CopyRows(task.in + row * task.in_features + k, task.in_features, rows, depth, in);
  float* out = task.out + row * task.out_features + task.column_begin;
  const int64_t width = task.column_end - task.column_begin;
  Tile tile = {.in = in,
               .depth = depth,
               .out_stride = task.out_features,
               .first = k == 0,
               .last = k + depth == task.in_features,
               .prefetch_stride = task.in_features};
  const int64_t tiles = (width + kLinearColumns - 1) / kLinearColumns;
  const float* next = task.in + (row + rows) * task.in_features + k;
  const int64_t next_rows = task.rows - row - rows < rows ? task.rows - row - rows : rows;
  for (int64_t column = 0; column < width; column += kLinearColumns) {
    const int64_t part = column / kLinearColumns;
    const int64_t prefetch_row = TileBegin(next_rows, part, tiles);
    tile.prefetch = next + prefetch_row * task.in_features;
    tile.prefetch_rows = TileBegin(next_rows, part + 1, tiles) - prefetch_row;
    tile.panel = panels + column * kLinearDepth;
    tile.out = out + column;
    tile.columns = width - column < kLinearColumns ? width - column : kLinearColumns;
    tile.bias = task.bias == nullptr ? nullptr : task.bias + task.column_begin + column;
    kTiles[rows](tile);
  }
  if (tile.last && task.activation != LinearActivation::kNone) {
    for (int64_t r = 0; r < rows; ++r) {
      ActivateRow(out + r * task.out_features, width, task.activation);
    }
  }
}

}  // namespace

void LinearKernel(const LinearTask& task) {
  const int64_t tiles = (task.rows + kTileRows - 1) / kTileRows;
  for (int64_t k = 0; k < task.in_features; k += kLinearDepth) {
    const int64_t left = task.in_features - k;
    const int64_t depth = left < kLinearDepth ? left : kLinearDepth;
    for (int64_t column = task.column_begin; column < task.column_end; column += kLinearColumns) {
      float* panel = task.scratch + (column - task.column_begin) * kLinearDepth;
      PackPanel(task, column, k, depth, panel);
    }
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t row = TileBegin(task.rows, t, tiles);
      ComputeRows(task, row, TileBegin(task.rows, t + 1, tiles) - row, k, depth);
    }
  }
}

}  // namespace longtake::LONGTAKE_ISA
