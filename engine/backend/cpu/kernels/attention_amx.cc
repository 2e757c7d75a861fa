// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Attention in tiles of bf16. For each block of 256 keys, counted from the first key whatever the
// segments: keys and values become panels of words once (neighbouring channels of a key, the same
// channel of neighbouring values); then all queries of the task pass by, 32 at a time: scores,
// running maximum and sums in lanes, weights rounded to bf16, outputs in fp32.
#include "engine/backend/cpu/kernels/amx_tiles.h"
#include "engine/backend/cpu/kernels/attention_parts.h"
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/simd_bf16.h"

namespace longtake::LONGTAKE_ISA {
namespace {

constexpr int64_t kBlock = kTiledKeyBlock;
constexpr int64_t kRows = kTiledRows;

struct Scratch {
  explicit Scratch(float* memory)
      : q(memory),
        out(q + kTiledQueriesMax * kTiledQueryStride),
        sums(out + kTiledQueriesMax * kTiledOutStride),
        key_panel(reinterpret_cast<int32_t*>(sums + kTiledQueriesMax * kLanes)),
        value_panel(key_panel + kBlock * kTiledHeadDimMax / 2),
        key_rows(reinterpret_cast<float*>(value_panel + kBlock * kTiledHeadDimMax / 2)),
        scores(key_rows + kBlock * kTiledQueryStride),
        weights(scores + 2 * kRows * kTiledScoreStride),
        products(weights + kRows * kTiledWeightStride),
        maxima(products + kRows * kRows) {}
  float* ScoresOf(int64_t row) const {
    return scores + row / kRows % 2 * kRows * kTiledScoreStride;
  }

  float* q;     // bf16 [rows][2 kTiledQueryStride]
  float* out;   // [rows][kTiledOutStride]
  float* sums;  // [rows][kLanes]
  // Tiles of sixteen words by sixteen columns, one after the other.
  int32_t* key_panel;    // [channels / 32][keys / 16], columns are keys
  int32_t* value_panel;  // [keys / 32][channels / 16], columns are channels
  float* key_rows;       // bf16 [kBlock][2 kTiledQueryStride]
  float* scores;         // two of [kRows][kTiledScoreStride], in turn
  float* weights;        // bf16 [kRows][2 kTiledWeightStride]
  float* products;       // [kRows][kRows]
  float* maxima;         // [rows], times scale log2(e)
};

struct Sizes {
  explicit Sizes(int64_t head_dim)
      : channels((head_dim + kTileSide - 1) / kTileSide * kTileSide), steps(channels / 32) {}
  int64_t channels;  // head_dim and zeros up to whole tiles
  int64_t steps;     // of 32 channels
};

// Channels [i, i + 16) of the values of two neighbouring keys, or of the last alone.
LT_INLINE F32x16 LoadValuePair(const KeyRow* rows, int64_t count, int64_t i, int64_t head_dim) {
  if (count > 1 && rows[0].is_bf16 && rows[1].is_bf16 && i + kLanes <= head_dim) {
    return PairBf16(static_cast<const uint16_t*>(rows[0].v) + i,
                    static_cast<const uint16_t*>(rows[1].v) + i);
  }
  const F32x16 even = count > 0 ? LoadChannels(rows[0].v, rows[0].is_bf16, i, head_dim) : Zero();
  const F32x16 odd = count > 1 ? LoadChannels(rows[1].v, rows[1].is_bf16, i, head_dim) : Zero();
  return PairBf16(even, odd);
}

// One row of a row of tiles.
LT_INLINE void PackValues(const KeyRow* rows, int64_t count, const Sizes& sizes, int64_t head_dim,
                          int32_t* panel) {
  for (int64_t i = 0; i < sizes.channels; i += kLanes) {
    Store(reinterpret_cast<float*>(panel + i / kLanes * kTileSize),
          LoadValuePair(rows, count, i, head_dim));
  }
}

// Sixteen keys by row become columns of the panel.
LT_INLINE void TransposeKeys(const Scratch& scratch, int64_t key, const Sizes& sizes) {
  for (int64_t step = 0; step < sizes.steps; ++step) {
    F32x16 block[16];
    LT_UNROLL
    for (int j = 0; j < 16; ++j) {
      block[j] = Load(scratch.key_rows + (key + j) * kTiledQueryStride + step * kLanes);
    }
    Transpose16(block);
    int32_t* tile = scratch.key_panel + (step * kBlock + key) / kLanes * kTileSize;
    LT_UNROLL
    for (int j = 0; j < 16; ++j) Store(reinterpret_cast<float*>(tile) + j * kLanes, block[j]);
  }
}

// count keys from the cursor; the panels are zero up to whole tiles.
void PackBlock(const AttentionTask& task, KeyCursor& at, int64_t count, const Scratch& scratch) {
  const Sizes sizes(task.head_dim);
  const int64_t padded = (count + kTileSide - 1) / kTileSide * kTileSide;
  for (int64_t key = 0; key < padded; key += 2) {
    KeyRow rows[2];
    const int64_t present = count - key < 2 ? count - key : 2;
    for (int64_t j = 0; j < 2; ++j) {
      float* to = scratch.key_rows + (key + j) * kTiledQueryStride;
      if (j < present) {
        SkipEmptySegments(at);
        rows[j] = RowAt(task, at);
        ++at.row;
      }
      for (int64_t i = 0; i < sizes.channels; i += 32) {
        const F32x16 low = j < present ? RotatedKey(rows[j], i, task.head_dim) : Zero();
        const F32x16 high = j < present ? RotatedKey(rows[j], i + kLanes, task.head_dim) : Zero();
        StoreBf16(to + i / 2, low, high);
      }
    }
    int32_t* tiles = scratch.value_panel + key / 32 * (sizes.channels / kLanes) * kTileSize;
    PackValues(rows, present, sizes, task.head_dim, tiles + key % 32 / 2 * kLanes);
  }
  for (int64_t key = 0; key < padded; key += kLanes) TransposeKeys(scratch, key, sizes);
}

// A run of keys as the softmax of one row sees it.
struct Block {
  int64_t count = 0;
  int64_t padded = 0;  // to whole tiles
  bool is_last = false;
};

// Scores of 32 rows with 32 keys of the block; those beyond its end are arbitrary.
void ScoreTile(const AttentionTask& task, int64_t row, int64_t key, const Scratch& scratch) {
  const Sizes sizes(task.head_dim);
  MultiplyTiles<Product::kBf16>(
      {.left = reinterpret_cast<const uint8_t*>(scratch.q + row * kTiledQueryStride),
       .left_stride = kTiledQueryStride * 4,
       .left_step = kTileBytes,
       .right = scratch.key_panel + key / kLanes * kTileSize,
       .right_stride = kLanes,
       .right_other = kTileSize,
       .right_step = kBlock / kLanes * kTileSize},
      sizes.steps, scratch.ScoresOf(row) + key, kTiledScoreStride);
}

// -inf beyond the last key; the last key's bias, in units of the unscaled score.
void CloseScores(const AttentionTask& task, const Block& block, float* scores) {
  for (int64_t i = block.count / kLanes * kLanes; i < block.padded; i += kLanes) {
    const F32x16 score = Load(scores + i);
    Store(scores + i, Select(FirstLanes(block.count - i), score, Broadcast(-__builtin_inff())));
  }
  if (block.is_last) scores[block.count - 1] += task.last_key_bias * (1.0f / task.scale);
}

// Largest of each of sixteen rows of scores.
LT_INLINE F32x16 MaxScores(const float* scores, int64_t count) {
  F32x16 maxima[16];
  LT_UNROLL
  for (int r = 0; r < 16; ++r) {
    const float* row = scores + r * kTiledScoreStride;
    maxima[r] = Max(Load(row), Load(row + kLanes));
    for (int64_t i = 32; i < count; i += 32) {
      maxima[r] = Max(maxima[r], Max(Load(row + i), Load(row + i + kLanes)));
    }
  }
  Transpose16(maxima);
  LT_UNROLL
  for (int step = 8; step > 0; step /= 2) {
    LT_UNROLL
    for (int r = 0; r < step; ++r) maxima[r] = Max(maxima[r], maxima[r + step]);
  }
  return maxima[0];
}

// 2^x for x <= 0, relative error 3e-6: the weights are rounded to bf16, 2^-9.
LT_INLINE F32x16 Exp2Weight(F32x16 x) {
  x = Max(Broadcast(-127.0f), x);
  const F32x16 magic = Broadcast(kRoundMagic + 127.0f);
  const F32x16 shifted = Add(x, magic);
  const F32x16 f = Sub(x, Sub(shifted, magic));
  F32x16 p = Broadcast(0x1.3a02ccp-7f);
  p = Fma(p, f, Broadcast(0x1.c9fc46p-5f));
  p = Fma(p, f, Broadcast(0x1.ec0378p-3f));
  p = Fma(p, f, Broadcast(0x1.62e12cp-1f));
  p = Fma(p, f, Broadcast(1.0f));
  return Mul(p, ShiftIntoExponent(shifted));
}

// Scores become weights, 2^(score factor - maximum), in bf16; their sums, before they are rounded,
// go to the row's lanes.
LT_INLINE void WeighRow(const float* scores, int64_t count, float factor, float maximum,
                        float rescale, float* sums, float* weights) {
  F32x16 sum = Mul(Load(sums), Broadcast(rescale));
  const F32x16 shift = Broadcast(-maximum);
  const F32x16 scale = Broadcast(factor);
  for (int64_t i = 0; i < count; i += 32) {
    const F32x16 low = Exp2Weight(Fma(Load(scores + i), scale, shift));
    const F32x16 high = Exp2Weight(Fma(Load(scores + i + kLanes), scale, shift));
    StoreBf16(weights + i / 2, low, high);
    sum = Add(sum, Add(low, high));
  }
  Store(sums, sum);
}

// out = out * rescale + weights * values, 32 rows.
void AddValues(const Sizes& sizes, const Block& block, int64_t row, const float* rescale,
               const Scratch& scratch) {
  for (int64_t i = 0; i < sizes.channels; i += kTileSide) {
    MultiplyTiles<Product::kBf16>({.left = reinterpret_cast<const uint8_t*>(scratch.weights),
                                   .left_stride = kTiledWeightStride * 4,
                                   .left_step = kTileBytes,
                                   .right = scratch.value_panel + i / kLanes * kTileSize,
                                   .right_stride = kLanes,
                                   .right_other = kTileSize,
                                   .right_step = sizes.channels / kLanes * kTileSize},
                                  block.padded / 32, scratch.products, kRows);
    for (int64_t r = 0; r < kRows; ++r) {
      float* out = scratch.out + (row + r) * kTiledOutStride + i;
      const float* product = scratch.products + r * kRows;
      const F32x16 factor = Broadcast(rescale[r]);
      Store(out, Fma(Load(out), factor, Load(product)));
      Store(out + kLanes, Fma(Load(out + kLanes), factor, Load(product + kLanes)));
    }
  }
}

// New maxima of 32 rows; what their sums and outputs shrink by.
void UpdateMaxima(const AttentionTask& task, const Block& block, int64_t row, float* rescale,
                  const Scratch& scratch) {
  float* scores = scratch.ScoresOf(row);
  if (block.is_last) {
    for (int64_t r = 0; r < kRows; ++r) CloseScores(task, block, scores + r * kTiledScoreStride);
  }
  float* maxima = scratch.maxima + row;
  for (int64_t r = 0; r < kRows; r += kLanes) {
    const F32x16 fresh = MaxScores(scores + r * kTiledScoreStride, block.padded);
    const F32x16 before = Load(maxima + r);
    const F32x16 after = Max(Mul(fresh, Broadcast(task.scale * kLog2E)), before);
    Store(maxima + r, after);
    Store(rescale + r, Exp2(Sub(before, after)));
  }
}

// The softmax of 32 rows, while the tile unit works on the scores of the next 32: a few rows here,
// 32 keys there, so that both are in the processor's window at once.
void WeighRowsAndScoreNext(const AttentionTask& task, const Block& block, int64_t row,
                           bool has_next, const float* rescale, const Scratch& scratch) {
  const float* scores = scratch.ScoresOf(row);
  const int64_t parts = block.padded / kTileSide;
  for (int64_t part = 0; part < parts; ++part) {
    if (has_next) ScoreTile(task, row + kRows, part * kTileSide, scratch);
    for (int64_t r = kRows * part / parts; r < kRows * (part + 1) / parts; ++r) {
      WeighRow(scores + r * kTiledScoreStride, block.padded, task.scale * kLog2E,
               scratch.maxima[row + r], rescale[r], scratch.sums + (row + r) * kLanes,
               scratch.weights + r * kTiledWeightStride);
    }
  }
}

void ComputeBlock(const AttentionTask& task, const Block& block, int64_t rows,
                  const Scratch& scratch) {
  const Sizes sizes(task.head_dim);
  for (int64_t key = 0; key < block.padded; key += kTileSide) ScoreTile(task, 0, key, scratch);
  for (int64_t row = 0; row < rows; row += kRows) {
    alignas(64) float rescale[kRows];
    UpdateMaxima(task, block, row, rescale, scratch);
    WeighRowsAndScoreNext(task, block, row, row + kRows < rows, rescale, scratch);
    AddValues(sizes, block, row, rescale, scratch);
  }
}

// Queries as bf16, zero up to whole tiles in both directions.
void LoadQueries(const AttentionTask& task, int64_t rows, const Scratch& scratch) {
  const Sizes sizes(task.head_dim);
  for (int64_t r = 0; r < rows; ++r) {
    const float* q = task.q + r * task.stride;
    const int64_t width = r < task.rows ? task.head_dim : 0;
    for (int64_t i = 0; i < sizes.channels; i += 32) {
      const Mask16 low = FirstLanes(width - i);
      const Mask16 high = FirstLanes(width - i - kLanes);
      StoreBf16(scratch.q + r * kTiledQueryStride + i / 2, LoadMasked(low, q + i),
                LoadMasked(high, q + i + kLanes));
      Store(scratch.out + r * kTiledOutStride + i, Zero());
      Store(scratch.out + r * kTiledOutStride + i + kLanes, Zero());
    }
    Store(scratch.sums + r * kLanes, Zero());
    scratch.maxima[r] = kLowestScore;
  }
}

void StoreOutputs(const AttentionTask& task, const Scratch& scratch) {
  for (int64_t r = 0; r < task.rows; ++r) {
    const F32x16 sum = Broadcast(HorizontalSum(Load(scratch.sums + r * kLanes)));
    for (int64_t i = 0; i < task.head_dim; i += kLanes) {
      StoreMasked(task.out + r * task.stride + i, FirstLanes(task.head_dim - i),
                  Div(Load(scratch.out + r * kTiledOutStride + i), sum));
    }
  }
}

}  // namespace

void AttentionTiledKernel(const AttentionTask& task) {
  const Scratch scratch(task.scratch);
  const int64_t rows = (task.rows + kRows - 1) / kRows * kRows;
  LoadQueries(task, rows, scratch);
  KeyCursor at = {task.segments};
  ConfigureTiles();
  for (int64_t key = 0; key < task.key_count; key += kBlock) {
    const int64_t left = task.key_count - key;
    Block block = {.count = left < kBlock ? left : kBlock, .is_last = left <= kBlock};
    block.padded = (block.count + kTileSide - 1) / kTileSide * kTileSide;
    PackBlock(task, at, block.count, scratch);
    ComputeBlock(task, block, rows, scratch);
  }
  ReleaseTiles();
  StoreOutputs(task, scratch);
}

}  // namespace longtake::LONGTAKE_ISA
