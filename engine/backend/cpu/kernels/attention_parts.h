// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What both attention kernels do with keys and scores. For kernel files only, as simd.h.
#pragma once

#include "engine/backend/cpu/kernels/attention.h"
#include "engine/backend/cpu/simd.h"

namespace longtake {
namespace LONGTAKE_ISA {

inline constexpr float kLog2E = 0x1.715476p+0f;
// Below every score, yet finite, so that differences of maxima are never NaN.
inline constexpr float kLowestScore = -1e30f;

// Where in the segments the next key is.
struct KeyCursor {
  const AttentionKeys* segment;
  int64_t row = 0;
};

// The key at the cursor, after segments that are used up.
LT_INLINE void SkipEmptySegments(KeyCursor& at) {
  while (at.row == at.segment->rows) at = {at.segment + 1};
}

// Channels [i, i + 16) of a row of width of this head, widened; zero beyond.
LT_INLINE F32x16 LoadChannels(const void* row, bool is_bf16, int64_t i, int64_t width) {
  if (is_bf16) return LoadBf16Partial(static_cast<const uint16_t*>(row) + i, width - i);
  return LoadMasked(FirstLanes(width - i), static_cast<const float*>(row) + i);
}

// One key's and value's rows of this task's head.
struct KeyRow {
  const void* k;
  const void* v;
  bool is_bf16;
  const float* rotary;  // or null
};

LT_INLINE KeyRow RowAt(const AttentionTask& task, const KeyCursor& at) {
  const AttentionKeys& segment = *at.segment;
  const int64_t offset =
      (at.row * task.stride + task.head * task.head_dim) * (segment.is_bf16 ? 2 : 4);
  return {static_cast<const char*>(segment.k) + offset,
          static_cast<const char*>(segment.v) + offset, segment.is_bf16,
          segment.rotary == nullptr ? nullptr : segment.rotary + at.row * task.head_dim};
}

LT_INLINE F32x16 RotatedKey(const KeyRow& row, int64_t i, int64_t width) {
  const F32x16 x = LoadChannels(row.k, row.is_bf16, i, width);
  if (row.rotary == nullptr) return x;
  return RotatePairs(x, LoadMasked(FirstLanes(width - i), row.rotary + i));
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
