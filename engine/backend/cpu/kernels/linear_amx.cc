// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Linear over bytes or bf16 in tiles. A group of columns is transposed to panels of words in L2,
// once; then all rows pass by, 32 at a time. A depth block's sums start from zero and are added to
// what waits in out from the blocks before.
#include "engine/backend/cpu/fma_tile.h"
#include "engine/backend/cpu/kernels/amx_tiles.h"
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/linear_finish.h"
#include "engine/backend/cpu/kernels/word_panel.h"

namespace longtake::LONGTAKE_ISA {
namespace {

constexpr int64_t kPanelWords = kNarrowDepthMax / 4 * kLinearColumns;

// A depth block: bytes [k, k + depth) of every row.
struct Depth {
  int64_t k = 0;
  int64_t depth = 0;
  bool first = false;
  bool last = false;
};

struct Scratch {
  explicit Scratch(float* memory)
      : panels(reinterpret_cast<int32_t*>(memory)),
        offsets(panels + kNarrowGroupColumns * kNarrowDepthMax / 4),
        sums(reinterpret_cast<float*>(offsets + kNarrowGroupColumns)) {}
  int32_t* panels;   // [groups of 32 columns][words][32]
  int32_t* offsets;  // [columns], what 128 in every byte of a row adds
  float* sums;       // two of [32][32], in turn
};

template <Product kProduct>
void PackPanels(const NarrowLinearTask& task, const Depth& block, const Scratch& scratch) {
  constexpr int64_t kElement = kProduct == Product::kBytes ? 1 : 2;
  const int64_t stride = task.in_features * kElement;
  const auto* weight = static_cast<const uint8_t*>(task.weight);
  for (int64_t column = task.column_begin; column < task.column_end; column += kLinearColumns) {
    const int64_t index = (column - task.column_begin) / kLinearColumns;
    int32_t* panel = scratch.panels + index * kPanelWords;
    PackWordPanel(weight + column * stride + block.k, stride, task.column_end - column, block.depth,
                  panel);
    if constexpr (kProduct == Product::kBytes) {
      SumOffsets(panel, (block.depth + 3) / 4, scratch.offsets + index * kLinearColumns);
    }
  }
}

// A block of sums on its way to out: some columns of some rows.
struct Block {
  const float* sums = nullptr;  // [32][32], int32 for bytes
  int64_t row = 0;
  int64_t rows = 0;
  int64_t column = 0;  // of the output
  int64_t columns = 0;
  const int32_t* offsets = nullptr;
};

// One vector of a row: added to what waits, and at the end scaled, biased, activated.
template <Product kProduct>
LT_INLINE void FinishVector(const NarrowLinearTask& task, const Depth& depth, const Block& block,
                            int64_t r, int64_t c) {
  const Mask16 mask = FirstLanes(block.columns - c);
  const int64_t column = block.column + c;
  const int64_t row = block.row + r;
  float* out = task.out + row * task.out_features + column;
  const float* sums = block.sums + r * kTileSide + c;
  F32x16 x;
  if constexpr (kProduct == Product::kBytes) {
    I32x16 sum = IntLoad(reinterpret_cast<const int32_t*>(sums));
    sum = IntSub(sum, IntLoad(block.offsets + c));
    auto* waiting = reinterpret_cast<int32_t*>(out);
    if (!depth.first) sum = IntAdd(sum, IntLoadMasked(mask, waiting));
    if (!depth.last) return IntStoreMasked(waiting, mask, sum);
    x = Mul(ToFloat(sum), Broadcast(task.in.scales[row]));
    x = Mul(x, LoadMasked(mask, task.weight_scales + column));
  } else {
    x = Load(sums);
    if (!depth.first) x = Add(LoadMasked(mask, out), x);
    if (!depth.last) return StoreMasked(out, mask, x);
  }
  if (task.bias != nullptr) x = Add(x, LoadMasked(mask, task.bias + column));
  StoreMasked(out, mask, Activated(x, task.activation));
}

template <Product kProduct>
void FinishBlock(const NarrowLinearTask& task, const Depth& depth, const Block& block) {
  for (int64_t r = 0; r < block.rows; ++r) {
    FinishVector<kProduct>(task, depth, block, r, 0);
    if (block.columns > kLanes) FinishVector<kProduct>(task, depth, block, r, kLanes);
  }
}

// 32 rows through all panels of the group; the next 32 are asked for meanwhile.
template <Product kProduct>
void ComputeRows(const NarrowLinearTask& task, const Depth& depth, int64_t row,
                 const Scratch& scratch) {
  const int64_t width = task.column_end - task.column_begin;
  const int64_t panels = (width + kLinearColumns - 1) / kLinearColumns;
  const int64_t rows = task.rows - row < kTileSide ? task.rows - row : kTileSide;
  const int64_t steps = (depth.depth + kTileBytes - 1) / kTileBytes;
  const uint8_t* left = task.in.data + row * task.in.stride + depth.k * kTileSide;
  const bool has_next = row + kTileSide < task.rows;
  const uint8_t* next = left + kTileSide * task.in.stride;
  for (int64_t p = 0; p < panels; ++p) {
    const int64_t c = p * kLinearColumns;
    float* sums = scratch.sums + p % 2 * kTileSide * kTileSide;
    MultiplyTiles<kProduct>({.left = left,
                             .left_stride = kTileBytes,
                             .left_step = kTileSide * kTileBytes,
                             .right = scratch.panels + p * kPanelWords,
                             .right_stride = kLinearColumns,
                             .right_other = kLanes,
                             .right_step = kTileWords * kLinearColumns,
                             .next = next + TileBegin(steps, p, panels) * kTileSide * kTileBytes,
                             .next_lines = has_next ? (kTileSide + panels - 1) / panels : 0},
                            steps, sums, kTileSide);
    FinishBlock<kProduct>(task, depth,
                          {.sums = sums,
                           .row = row,
                           .rows = rows,
                           .column = task.column_begin + c,
                           .columns = width - c < kLinearColumns ? width - c : kLinearColumns,
                           .offsets = scratch.offsets + c});
  }
}

template <Product kProduct>
void Compute(const NarrowLinearTask& task) {
  const Scratch scratch(task.scratch);
  const int64_t bytes = task.in_features * (kProduct == Product::kBytes ? 1 : 2);
  ConfigureTiles();
  const int64_t depth_bytes = DepthBytes(bytes, kNarrowDepthMax);
  for (int64_t k = 0; k < bytes; k += depth_bytes) {
    const int64_t depth = bytes - k < depth_bytes ? bytes - k : depth_bytes;
    const Depth block = {.k = k, .depth = depth, .first = k == 0, .last = k + depth == bytes};
    PackPanels<kProduct>(task, block, scratch);
    for (int64_t row = 0; row < task.rows; row += kTileSide) {
      ComputeRows<kProduct>(task, block, row, scratch);
    }
  }
  ReleaseTiles();
}

}  // namespace

void LinearInt8Kernel(const NarrowLinearTask& task) { Compute<Product::kBytes>(task); }
void LinearBf16Kernel(const NarrowLinearTask& task) { Compute<Product::kBf16>(task); }

}  // namespace longtake::LONGTAKE_ISA
