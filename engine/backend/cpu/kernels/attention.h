// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One task of Attention: a block of queries of one head against all keys, softmax computed on the
// fly over key blocks (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax").
#pragma once

#include <cstdint>

namespace longtake {

// One head of a run of keys; rows are stride elements apart.
struct AttentionKeys {
  const void* k = nullptr;
  const void* v = nullptr;
  bool is_bf16 = false;
  int64_t rows = 0;
  const float* rotary = nullptr;  // [rows, head_dim] as cos,sin per pair, or null
};

struct AttentionTask {
  const float* q = nullptr;  // this head of the first query; rows are stride apart
  int64_t rows = 0;          // at most kAttentionQueriesMax
  int64_t stride = 0;        // heads * head_dim
  int64_t head_dim = 0;      // even, at most kAttentionHeadDimMax
  const AttentionKeys* segments = nullptr;
  int64_t segment_count = 0;
  int64_t key_count = 0;  // over all segments
  float scale = 1.0f;
  const float* bias = nullptr;  // this head of the first query, rows key_count apart, or null
  float last_key_bias = 0.0f;
  float* out = nullptr;      // as q
  float* scratch = nullptr;  // kAttentionScratchFloats, 64-byte aligned
};

inline constexpr int64_t kAttentionHeadDimMax = 256;
inline constexpr int64_t kAttentionQueriesMax = 448;
inline constexpr int64_t kAttentionKeyBlock = 64;  // changes bits: part of the numerics profile
inline constexpr int64_t kAttentionRowsMax = 14;   // of a micro-tile
inline constexpr int64_t kAttentionQueryStride = kAttentionHeadDimMax + 16;
inline constexpr int64_t kAttentionScoreStride = kAttentionKeyBlock + 16;
inline constexpr int64_t kAttentionScratchFloats =
    2 * kAttentionQueriesMax * kAttentionQueryStride +  // queries, outputs
    kAttentionQueriesMax * 32 +                         // running maximum, running sums
    3 * kAttentionKeyBlock * kAttentionQueryStride +    // keys by row, by column, values
    kAttentionRowsMax * kAttentionScoreStride;

}  // namespace longtake
