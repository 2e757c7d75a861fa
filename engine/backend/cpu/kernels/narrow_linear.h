// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Linear with narrow factors. Rows of fp32 are narrowed once, to bytes with a scale per row or to
// bf16; then they meet the weights of the same type.
//
// Bytes: sums of products are exact integers, so the bits are the same on every instruction set
// (AVX2, VNNI, AMX); out = float(sum) * row scale * column scale + bias. bf16: fp32 sums in the
// order of AMX, in blocks of equal depth, at most kNarrowDepthMax bytes, that are added up in
// order; a numerics profile of its own.
#pragma once

#include <cstdint>

#include "engine/backend/cpu/kernels/linear.h"

namespace longtake {

// Where narrowed rows lie: in runs of 64 bytes (a row of an AMX tile), 32 rows to a block. Run c of
// row r is at data + (r / 32) * 32 * stride + (r % 32) * row_step + c * run_step; vectors want a
// row's runs side by side, tiles want the 32 rows of a run side by side. Bytes are offset by 128: 0
// is 128. The last run of a row is zero (bytes: anything) beyond the row; rows beyond the last up
// to the next multiple of 32 are readable and may hold anything.
struct NarrowRows {
  uint8_t* data = nullptr;  // 64-byte aligned; the first row of a block
  int64_t stride = 0;       // bytes a row takes, a multiple of 64
  int64_t row_step = 0;
  int64_t run_step = 0;
  float* scales = nullptr;  // one a row; not for bf16
};

struct NarrowRowsTask {
  const float* in = nullptr;  // [rows, in_features]
  int64_t rows = 0;
  int64_t in_features = 0;
  NarrowRows out;
};

struct NarrowLinearTask {
  NarrowRows in;
  int64_t rows = 0;
  const void* weight = nullptr;          // [out_features, in_features], bytes or bf16
  const float* weight_scales = nullptr;  // [out_features]; not for bf16
  int64_t in_features = 0;
  int64_t out_features = 0;
  int64_t column_begin = 0;  // of the output; a multiple of kLinearColumns
  int64_t column_end = 0;    // at most kNarrowGroupColumns further
  const float* bias = nullptr;
  LinearActivation activation = LinearActivation::kNone;
  float* out = nullptr;      // [rows, out_features]
  float* scratch = nullptr;  // kNarrowScratchFloats, 64-byte aligned
};

inline constexpr int64_t kNarrowGroupColumns = 256;
inline constexpr int64_t kNarrowRowsAlign = 32;   // a block of rows, two tiles
inline constexpr int64_t kNarrowRunBytes = 64;    // of a row, a tile's width
inline constexpr int64_t kNarrowDepthMax = 3072;  // bytes of a weight row in L2 at a time
inline constexpr int64_t kNarrowScratchFloats =
    kNarrowGroupColumns * kNarrowDepthMax / 4 +  // panels
    kNarrowGroupColumns +                        // what the offset of 128 adds to each column
    2 * kNarrowRowsAlign * kLinearColumns;       // two blocks of sums

}  // namespace longtake
