// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One task of Attention: a block of queries of one head against all keys, softmax computed on the
// fly over key blocks (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax").
#pragma once

#include <cstdint>

namespace longtake {

// A run of keys of all heads.
struct AttentionKeys {
  const void* k = nullptr;  // [rows, heads * head_dim]
  const void* v = nullptr;
  bool is_bf16 = false;
  int64_t rows = 0;
  const float* rotary = nullptr;  // [rows, head_dim] as cos,sin per pair, or null
};

struct AttentionTask {
  const float* q = nullptr;  // [rows, stride] from this head of the first query
  int64_t rows = 0;          // at most kAttentionQueriesMax
  int64_t stride = 0;        // heads * head_dim
  int64_t head = 0;
  int64_t head_dim = 0;  // even, at most kAttentionHeadDimMax
  const AttentionKeys* segments = nullptr;
  int64_t key_count = 0;        // over all segments, at least 1
  float scale = 1.0f;           // positive
  const float* bias = nullptr;  // [rows, key_count] from this head of the first query, or null
  float last_key_bias = 0.0f;
  float* out = nullptr;      // as q
  float* scratch = nullptr;  // kAttentionScratchFloats, 64-byte aligned
};

inline constexpr int64_t kAttentionHeadDimMax = 384;  // the middle of the Wan VAE
inline constexpr int64_t kAttentionQueriesMax = 448;
inline constexpr int64_t kAttentionKeyBlock = 64;  // decides bits: part of the numerics profile
inline constexpr int64_t kAttentionRowsMax = 16;   // at least those of a register tile
// Rows are one cache line more apart than a power of two, which would put them into few sets of L1.
inline constexpr int64_t kAttentionRowStride = kAttentionHeadDimMax + 16;
inline constexpr int64_t kAttentionScoreStride = kAttentionKeyBlock + 16;
inline constexpr int64_t kAttentionScratchFloats =
    2 * kAttentionQueriesMax * kAttentionRowStride +  // queries, outputs
    kAttentionQueriesMax * (1 + 16) +                 // maxima, sums in lanes
    2 * kAttentionKeyBlock * kAttentionRowStride +    // keys by row, values
    kAttentionKeyBlock * kAttentionHeadDimMax +       // keys by column
    kAttentionRowsMax * kAttentionScoreStride;        // scores of one register tile's rows

// The tiled kernel: products of bf16, sums and softmax in fp32; heads up to kTiledHeadDimMax wide,
// a multiple of 2, and no bias.
inline constexpr int64_t kTiledHeadDimMax = 128;
inline constexpr int64_t kTiledQueriesMax = 1024;
inline constexpr int64_t kTiledKeyBlock = 256;  // decides bits: part of the numerics profile
inline constexpr int64_t kTiledRows = 32;
inline constexpr int64_t kTiledOutStride = kTiledHeadDimMax + 16;
inline constexpr int64_t kTiledScoreStride = kTiledKeyBlock + 16;
// bf16 rows in floats, a cache line more apart than a power of two.
inline constexpr int64_t kTiledQueryStride = kTiledHeadDimMax / 2 + 16;
inline constexpr int64_t kTiledWeightStride = kTiledKeyBlock / 2 + 16;
inline constexpr int64_t kTiledScratchFloats =
    kTiledQueriesMax *
        (kTiledQueryStride + kTiledOutStride + 16 + 1) +         // queries, outputs, sums, maxima
    2 * kTiledKeyBlock * kTiledHeadDimMax / 2 +                  // keys, values as panels
    kTiledKeyBlock * kTiledQueryStride +                         // keys by row
    kTiledRows * (2 * kTiledScoreStride + kTiledWeightStride) +  // scores of two tiles, weights
    kTiledRows * kTiledRows;                                     // sums of one block

}  // namespace longtake
