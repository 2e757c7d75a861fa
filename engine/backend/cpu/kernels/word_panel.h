// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Narrow weights as the inner loops want them: words of four bytes (four s8 or two bf16, neighbours
// in in_features), [words][kLinearColumns]. VNNI reads them as vectors, AMX as tiles. For kernel
// files only, as simd.h.
#pragma once

#include "engine/backend/cpu/kernels/narrow_linear.h"
#include "engine/backend/cpu/simd_int8.h"

namespace longtake {
namespace LONGTAKE_ISA {

// The first run of a row.
LT_INLINE uint8_t* NarrowRow(const NarrowRows& rows, int64_t r) {
  const int64_t block = r / kNarrowRowsAlign;
  return rows.data + block * kNarrowRowsAlign * rows.stride +
         (r - block * kNarrowRowsAlign) * rows.row_step;
}

// Bytes of a block when a weight row is cut in depth into equal ones; the last may be shorter.
LT_INLINE int64_t DepthBytes(int64_t row_bytes, int64_t bytes_max) {
  const int64_t count = (row_bytes + bytes_max - 1) / bytes_max;
  const int64_t runs = (row_bytes + kNarrowRunBytes * count - 1) / (kNarrowRunBytes * count);
  return runs * kNarrowRunBytes;
}

// Sixteen words of each of sixteen rows; bytes of a row from the count-th are zero, rows too.
LT_INLINE void LoadWordBlock(const uint8_t* rows, int64_t stride, int64_t row_count, int64_t bytes,
                             F32x16 (&block)[16]) {
  alignas(64) uint8_t padded[kNarrowRunBytes];
  LT_UNROLL
  for (int c = 0; c < 16; ++c) {
    const uint8_t* row = rows + c * stride;
    if (c >= row_count) {
      block[c] = Zero();
    } else if (bytes >= kNarrowRunBytes) {
      block[c] = Load(reinterpret_cast<const float*>(row));
    } else {
      for (int64_t i = 0; i < kNarrowRunBytes; ++i) padded[i] = i < bytes ? row[i] : 0;
      block[c] = Load(reinterpret_cast<const float*>(padded));
    }
  }
}

// Columns of weights (rows of the matrix), at most 32 of which column_count exist, bytes each; the
// panel is zero up to the next block in depth and up to 32 columns.
LT_INLINE void PackWordPanel(const uint8_t* weight, int64_t stride, int64_t column_count,
                             int64_t bytes, int32_t* panel) {
  for (int64_t half = 0; half < kLinearColumns; half += kLanes) {
    const int64_t count = column_count - half;
    const uint8_t* rows = weight + (count > 0 ? half * stride : 0);
    for (int64_t k = 0; k < bytes; k += kNarrowRunBytes) {
      F32x16 block[16];
      LoadWordBlock(rows + k, stride, count, bytes - k, block);
      Transpose16(block);
      float* to = reinterpret_cast<float*>(panel) + k / 4 * kLinearColumns + half;
      LT_UNROLL
      for (int i = 0; i < 16; ++i) Store(to + i * kLinearColumns, block[i]);
    }
  }
}

// What 128 in every byte of a row adds to each column's sum.
LT_INLINE void SumOffsets(const int32_t* panel, int64_t words, int32_t* offsets) {
  constexpr int32_t kFourOffsets = static_cast<int32_t>(0x80808080u);
  for (int64_t half = 0; half < kLinearColumns; half += kLanes) {
    I32x16 sum = IntZero();
    for (int64_t k = 0; k < words; ++k) {
      sum = AddProducts(sum, kFourOffsets, LoadByteColumns(panel + k * kLinearColumns + half));
    }
    IntStore(offsets + half, sum);
  }
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
