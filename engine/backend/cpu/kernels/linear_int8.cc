// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Linear over bytes in vectors. A group of columns is transposed to panels of words in L2, once;
// then all rows pass by, one register tile at a time. Sums that are not finished at the end of a
// depth block wait in out, as integers.
#include "engine/backend/cpu/fma_tile.h"
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/linear_finish.h"
#include "engine/backend/cpu/kernels/word_panel.h"

namespace longtake::LONGTAKE_ISA {
namespace {

#if defined(__AVX512VNNI__)
constexpr int kRowsMax = 14;
#else
constexpr int kRowsMax = kIsAvx512 ? 8 : 4;
#endif
constexpr int kVectors = kIsAvx512 ? 2 : 1;
// Half of what tiles take: processors without them have smaller caches.
constexpr int64_t kDepthMax = kNarrowDepthMax / 2;
constexpr int64_t kPanelWords = kDepthMax / 4 * kLinearColumns;

struct Tile {
  const uint8_t* in = nullptr;  // rows in_stride apart
  int64_t in_stride = 0;
  const float* in_scales = nullptr;
  const int32_t* panel = nullptr;    // [words][kLinearColumns]
  const int32_t* offsets = nullptr;  // [kLinearColumns], to be taken from each column's sum
  int64_t words = 0;
  float* out = nullptr;
  int64_t out_stride = 0;
  int64_t columns = 0;
  bool first = false;
  bool last = false;
  const float* scales = nullptr;
  const float* bias = nullptr;
  LinearActivation activation = LinearActivation::kNone;
};

// Two scales, the bias, the activation: sixteen columns of one row.
LT_INLINE F32x16 Finish(const Tile& tile, I32x16 sum, int64_t row, int64_t column, Mask16 mask) {
  F32x16 x = Mul(ToFloat(sum), Broadcast(tile.in_scales[row]));
  x = Mul(x, LoadMasked(mask, tile.scales + column));
  if (tile.bias != nullptr) x = Add(x, LoadMasked(mask, tile.bias + column));
  return Activated(x, tile.activation);
}

using Sums = I32x16;

// What waits in out from the depth blocks before, less what the offset of this block's bytes adds.
template <int kRows>
LT_INLINE void BeginSums(const Tile& tile, int64_t column, Sums (&sums)[kRows][kVectors]) {
  LT_UNROLL
  for (int r = 0; r < kRows; ++r) {
    const int32_t* waiting = reinterpret_cast<const int32_t*>(tile.out + r * tile.out_stride);
    LT_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const int64_t first = column + v * kLanes;
      const Mask16 mask = FirstLanes(tile.columns - first);
      const I32x16 before = tile.first ? IntZero() : IntLoadMasked(mask, waiting + first);
      sums[r][v] = IntSub(before, IntLoad(tile.offsets + first));
    }
  }
}

template <int kRows>
LT_INLINE void AddBlock(const Tile& tile, int64_t column, Sums (&sums)[kRows][kVectors]) {
  const uint8_t* in = tile.in;
  const int32_t* panel = tile.panel + column;
  for (int64_t k = 0; k < tile.words; ++k, in += 4, panel += kLinearColumns) {
    ByteColumns columns[kVectors];
    LT_UNROLL
    for (int v = 0; v < kVectors; ++v) columns[v] = LoadByteColumns(panel + v * kLanes);
    LT_UNROLL
    for (int r = 0; r < kRows; ++r) {
      int32_t bytes;
      __builtin_memcpy(&bytes, in + r * tile.in_stride, sizeof(bytes));
      LT_UNROLL
      for (int v = 0; v < kVectors; ++v) sums[r][v] = AddProducts(sums[r][v], bytes, columns[v]);
    }
  }
}

template <int kRows>
void ComputeColumns(const Tile& tile, int64_t column) {
  Sums sums[kRows][kVectors];
  BeginSums<kRows>(tile, column, sums);
  AddBlock<kRows>(tile, column, sums);
  LT_UNROLL
  for (int r = 0; r < kRows; ++r) {
    LT_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const int64_t first = column + v * kLanes;
      const Mask16 mask = FirstLanes(tile.columns - first);
      float* out = tile.out + r * tile.out_stride + first;
      if (tile.last) {
        StoreMasked(out, mask, Finish(tile, sums[r][v], r, first, mask));
      } else {
        IntStoreMasked(reinterpret_cast<int32_t*>(out), mask, sums[r][v]);
      }
    }
  }
}

template <int kRows>
void ComputeTile(const Tile& tile) {
  for (int64_t column = 0; column < tile.columns; column += kVectors * kLanes) {
    ComputeColumns<kRows>(tile, column);
  }
}

// At most kRowsMax.
template <int kRows>
inline constexpr auto kComputeTile = ComputeTile<(kRows < kRowsMax ? kRows : kRowsMax)>;

constexpr void (*kTiles[])(const Tile&) = {
    nullptr,          kComputeTile<1>,  kComputeTile<2>,  kComputeTile<3>,  kComputeTile<4>,
    kComputeTile<5>,  kComputeTile<6>,  kComputeTile<7>,  kComputeTile<8>,  kComputeTile<9>,
    kComputeTile<10>, kComputeTile<11>, kComputeTile<12>, kComputeTile<13>, kComputeTile<14>};

// A depth block: bytes [k, k + depth) of every row.
struct Depth {
  int64_t k = 0;
  int64_t depth = 0;
};

void ComputeRows(const NarrowLinearTask& task, const Depth& block, int64_t row, int64_t rows) {
  const int32_t* panels = reinterpret_cast<const int32_t*>(task.scratch);
  const int32_t* offsets = panels + kNarrowGroupColumns * kDepthMax / 4;
  const int64_t width = task.column_end - task.column_begin;
  Tile tile = {.in = task.in.data + row * task.in.stride + block.k,
               .in_stride = task.in.stride,
               .in_scales = task.in.scales + row,
               .words = (block.depth + 3) / 4,
               .out_stride = task.out_features,
               .first = block.k == 0,
               .last = block.k + block.depth == task.in_features,
               .activation = task.activation};
  for (int64_t column = 0; column < width; column += kLinearColumns) {
    const int64_t at = task.column_begin + column;
    tile.panel = panels + column / kLinearColumns * kPanelWords;
    tile.offsets = offsets + column;
    tile.out = task.out + row * task.out_features + at;
    tile.columns = width - column < kLinearColumns ? width - column : kLinearColumns;
    tile.scales = task.weight_scales + at;
    tile.bias = task.bias == nullptr ? nullptr : task.bias + at;
    kTiles[rows](tile);
  }
}

void PackPanels(const NarrowLinearTask& task, const Depth& block) {
  int32_t* panels = reinterpret_cast<int32_t*>(task.scratch);
  int32_t* offsets = panels + kNarrowGroupColumns * kDepthMax / 4;
  for (int64_t column = task.column_begin; column < task.column_end; column += kLinearColumns) {
    const int64_t index = column - task.column_begin;
    int32_t* panel = panels + index / kLinearColumns * kPanelWords;
    const auto* weight = static_cast<const uint8_t*>(task.weight);
    PackWordPanel(weight + column * task.in_features + block.k, task.in_features,
                  task.column_end - column, block.depth, panel);
    SumOffsets(panel, (block.depth + 3) / 4, offsets + index);
  }
}

}  // namespace

void LinearInt8Kernel(const NarrowLinearTask& task) {
  const int64_t tiles = (task.rows + kRowsMax - 1) / kRowsMax;
  const int64_t depth_bytes = DepthBytes(task.in_features, kDepthMax);
  for (int64_t k = 0; k < task.in_features; k += depth_bytes) {
    const int64_t left = task.in_features - k;
    const Depth block = {k, left < depth_bytes ? left : depth_bytes};
    PackPanels(task, block);
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t row = TileBegin(task.rows, t, tiles);
      ComputeRows(task, block, row, TileBegin(task.rows, t + 1, tiles) - row);
    }
  }
}

}  // namespace longtake::LONGTAKE_ISA
