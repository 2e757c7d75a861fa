// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// For each block of 64 keys, counted from the first key whatever the segments: the keys are
// widened, rotated and transposed once, the values widened; then all queries of the task pass by in
// register tiles: scores (a chain over channels), running maximum and sums in lanes, outputs (one
// chain over all keys, rescaled where the maximum moves).
#include "engine/backend/cpu/kernels/attention.h"

#include "engine/backend/cpu/fma_tile.h"
#include "engine/backend/cpu/kernels/attention_parts.h"
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/simd.h"

namespace longtake::LONGTAKE_ISA {
namespace {

constexpr int64_t kBlock = kAttentionKeyBlock;
constexpr int64_t kStride = kAttentionRowStride;
constexpr int64_t kScoreStride = kAttentionScoreStride;

struct Scratch {
  explicit Scratch(float* memory)
      : q(memory),
        out(q + kAttentionQueriesMax * kStride),
        sums(out + kAttentionQueriesMax * kStride),
        maxima(sums + kAttentionQueriesMax * kLanes),
        key_rows(maxima + kAttentionQueriesMax),
        values(key_rows + kBlock * kStride),
        key_columns(values + kBlock * kStride),
        scores(key_columns + kBlock * kAttentionHeadDimMax) {}
  float* q;            // [rows][kStride]
  float* out;          // [rows][kStride]
  float* sums;         // [rows][kLanes]
  float* maxima;       // [rows], times scale log2(e)
  float* key_rows;     // [kBlock][kStride]
  float* values;       // [kBlock][kStride]
  float* key_columns;  // [head_dim][kBlock]
  float* scores;       // [kTileRows][kScoreStride]
};

// One key and its value, widened; the key rotated. Lanes beyond head_dim become zero.
LT_INLINE void LoadKey(const AttentionTask& task, const KeyCursor& at, float* key, float* value) {
  const KeyRow row = RowAt(task, at);
  for (int64_t i = 0; i < task.head_dim; i += kLanes) {
    Store(key + i, RotatedKey(row, i, task.head_dim));
    Store(value + i, LoadChannels(row.v, row.is_bf16, i, task.head_dim));
  }
}

void PackBlock(const AttentionTask& task, KeyCursor& at, int64_t count, const Scratch& scratch) {
  for (int64_t key = 0; key < count; ++key) {
    SkipEmptySegments(at);
    LoadKey(task, at, scratch.key_rows + key * kStride, scratch.values + key * kStride);
    ++at.row;
  }
  for (int64_t key = 0; key < count; key += kLanes) {
    for (int64_t i = 0; i < task.head_dim; i += kLanes) {
      F32x16 block[kLanes];
      LT_UNROLL
      for (int j = 0; j < kLanes; ++j) {
        block[j] = Load(scratch.key_rows + (key + j) * kStride + i);
      }
      Transpose16(block);
      LT_UNROLL
      for (int j = 0; j < kLanes; ++j)
        Store(scratch.key_columns + (i + j) * kBlock + key, block[j]);
    }
  }
}

// Scores of the tile's rows with all keys of the block; those beyond the block's end are arbitrary.
template <int kRows>
void ScoreTile(const float* q, const float* key_columns, int64_t head_dim, int64_t count,
               float* scores) {
  for (int64_t key = 0; key < count; key += kTileVectors * kLanes) {
    F32x16 sums[kRows][kTileVectors];
    LT_UNROLL
    for (int r = 0; r < kRows; ++r) {
      LT_UNROLL
      for (int v = 0; v < kTileVectors; ++v) sums[r][v] = Zero();
    }
    FmaChains<kRows, kTileVectors, kStride, kBlock>(sums, q, key_columns + key, head_dim);
    LT_UNROLL
    for (int r = 0; r < kRows; ++r) {
      LT_UNROLL
      for (int v = 0; v < kTileVectors; ++v) {
        Store(scores + r * kScoreStride + key + v * kLanes, sums[r][v]);
      }
    }
  }
}

template <int kRows, int kVectors>
LT_INLINE void ValueColumns(const float* weights, const float* values, const float* rescale,
                            int64_t count, float* out) {
  F32x16 sums[kRows][kVectors];
  LT_UNROLL
  for (int r = 0; r < kRows; ++r) {
    const F32x16 factor = Broadcast(rescale[r]);
    LT_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = Mul(Load(out + r * kStride + v * kLanes), factor);
    }
  }
  FmaChains<kRows, kVectors, kScoreStride, kStride>(sums, weights, values, count);
  LT_UNROLL
  for (int r = 0; r < kRows; ++r) {
    LT_UNROLL
    for (int v = 0; v < kVectors; ++v) Store(out + r * kStride + v * kLanes, sums[r][v]);
  }
}

// out = out * rescale + weights * values
template <int kRows>
void ValueTile(const float* weights, const float* values, const float* rescale, int64_t count,
               int64_t head_dim, float* out) {
  int64_t i = 0;
  for (; i + (kTileVectors - 1) * kLanes < head_dim; i += kTileVectors * kLanes) {
    ValueColumns<kRows, kTileVectors>(weights, values + i, rescale, count, out + i);
  }
  if (i < head_dim) ValueColumns<kRows, 1>(weights, values + i, rescale, count, out + i);
}

struct Tile {
  void (*score)(const float*, const float*, int64_t, int64_t, float*);
  void (*value)(const float*, const float*, const float*, int64_t, int64_t, float*);
};
template <int kRows>
inline constexpr Tile kTileOf = {ScoreTile<(kRows < kTileRows ? kRows : kTileRows)>,
                                 ValueTile<(kRows < kTileRows ? kRows : kTileRows)>};
constexpr Tile kTiles[] = {{nullptr, nullptr}, kTileOf<1>,  kTileOf<2>,  kTileOf<3>,  kTileOf<4>,
                           kTileOf<5>,         kTileOf<6>,  kTileOf<7>,  kTileOf<8>,  kTileOf<9>,
                           kTileOf<10>,        kTileOf<11>, kTileOf<12>, kTileOf<13>, kTileOf<14>};

// A run of keys as the softmax of one row sees it.
struct Block {
  int64_t first_key = 0;
  int64_t count = 0;
};

// Adds what is not a product of query and key, in units of the unscaled score, and makes -inf what
// is beyond the last key.
void AdjustScores(const AttentionTask& task, const Block& block, int64_t row, float* scores) {
  const float inverse = 1.0f / task.scale;
  const float* bias =
      task.bias == nullptr ? nullptr : task.bias + row * task.key_count + block.first_key;
  for (int64_t i = 0; i < block.count; i += kLanes) {
    const Mask16 mask = FirstLanes(block.count - i);
    F32x16 score = Load(scores + i);
    if (bias != nullptr) score = Fma(LoadMasked(mask, bias + i), Broadcast(inverse), score);
    Store(scores + i, Select(mask, score, Broadcast(-__builtin_inff())));
  }
  if (block.first_key + block.count == task.key_count) {
    scores[block.count - 1] += task.last_key_bias * inverse;
  }
}

LT_INLINE float MaxScore(const float* scores, int64_t count) {
  F32x16 maximum = Load(scores);
  for (int64_t i = kLanes; i < count; i += kLanes) maximum = Max(maximum, Load(scores + i));
  return HorizontalMax(maximum);
}

// Scores become weights, 2^(score factor - maximum); their sums go to the row's lanes.
LT_INLINE void Weigh(float* scores, int64_t count, float factor, float maximum, float rescale,
                     float* sums) {
  F32x16 sum = Mul(Load(sums), Broadcast(rescale));
  const F32x16 shift = Broadcast(-maximum);
  for (int64_t i = 0; i < count; i += kLanes) {
    const F32x16 weight = Exp2(Fma(Load(scores + i), Broadcast(factor), shift));
    Store(scores + i, weight);
    sum = Add(sum, weight);
  }
  Store(sums, sum);
}

void ComputeTile(const AttentionTask& task, const Block& block, int64_t row, int64_t rows,
                 const Scratch& scratch) {
  const Tile& tile = kTiles[rows];
  const float factor = task.scale * kLog2E;
  tile.score(scratch.q + row * kStride, scratch.key_columns, task.head_dim, block.count,
             scratch.scores);
  const bool plain = task.bias == nullptr && block.first_key + block.count < task.key_count;
  alignas(64) float fresh[kLanes] = {};
  for (int64_t r = 0; r < rows; ++r) {
    float* scores = scratch.scores + r * kScoreStride;
    if (!plain) AdjustScores(task, block, row + r, scores);
    fresh[r] = MaxScore(scores, block.count);
  }
  const Mask16 mask = FirstLanes(rows);
  const F32x16 before = LoadMasked(mask, scratch.maxima + row);
  const F32x16 after = Max(Mul(Load(fresh), Broadcast(factor)), before);
  StoreMasked(scratch.maxima + row, mask, after);
  alignas(64) float maxima[kLanes];
  alignas(64) float rescale[kLanes];
  Store(maxima, after);
  Store(rescale, Exp2(Sub(before, after)));
  for (int64_t r = 0; r < rows; ++r) {
    Weigh(scratch.scores + r * kScoreStride, block.count, factor, maxima[r], rescale[r],
          scratch.sums + (row + r) * kLanes);
  }
  tile.value(scratch.scores, scratch.values, rescale, block.count, task.head_dim,
             scratch.out + row * kStride);
}

void LoadQueries(const AttentionTask& task, const Scratch& scratch) {
  for (int64_t r = 0; r < task.rows; ++r) {
    for (int64_t i = 0; i < task.head_dim; i += kLanes) {
      const Mask16 mask = FirstLanes(task.head_dim - i);
      Store(scratch.q + r * kStride + i, LoadMasked(mask, task.q + r * task.stride + i));
      Store(scratch.out + r * kStride + i, Zero());
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
                  Div(Load(scratch.out + r * kStride + i), sum));
    }
  }
}

}  // namespace

void AttentionKernel(const AttentionTask& task) {
  const Scratch scratch(task.scratch);
  LoadQueries(task, scratch);
  const int64_t tiles = (task.rows + kTileRows - 1) / kTileRows;
  KeyCursor at = {task.segments};
  for (int64_t key = 0; key < task.key_count; key += kBlock) {
    const int64_t left = task.key_count - key;
    const Block block = {key, left < kBlock ? left : kBlock};
    PackBlock(task, at, block.count, scratch);
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t row = TileBegin(task.rows, t, tiles);
      ComputeTile(task, block, row, TileBegin(task.rows, t + 1, tiles) - row, scratch);
    }
  }
  StoreOutputs(task, scratch);
}

}  // namespace longtake::LONGTAKE_ISA
