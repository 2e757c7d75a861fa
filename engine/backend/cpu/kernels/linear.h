// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One task of Linear: some columns of the output for some rows. Each output element is one chain of
// fused multiply-adds over in_features in order, from zero; then the bias, then the activation.
#pragma once

#include <cstdint>

namespace longtake {

enum class LinearActivation { kNone, kGeluTanh, kSilu };

struct LinearTask {
  const float* in = nullptr;  // [rows, in_features]
  int64_t rows = 0;
  const void* weight = nullptr;  // [out_features, in_features]
  bool weight_is_bf16 = false;
  int64_t in_features = 0;
  int64_t out_features = 0;
  int64_t column_begin = 0;     // of the output; a multiple of kLinearColumns
  int64_t column_end = 0;       // at most kLinearGroupColumns further
  const float* bias = nullptr;  // [out_features] or null
  LinearActivation activation = LinearActivation::kNone;
  float* out = nullptr;      // [rows, out_features]
  float* scratch = nullptr;  // kLinearScratchFloats, 64-byte aligned
};

inline constexpr int64_t kLinearColumns = 32;        // two vectors, one micro-panel
inline constexpr int64_t kLinearGroupColumns = 256;  // of widened weights in L2 at a time
inline constexpr int64_t kLinearDepth = 384;         // of in_features in L2 at a time
inline constexpr int64_t kLinearRowsMax = 14;        // of a micro-tile
// Rows of the input are copied apart by one cache line more than their length: a power of two would
// put all of them into the same set of L1.
inline constexpr int64_t kLinearInStride = kLinearDepth + 16;
inline constexpr int64_t kLinearScratchFloats =
    kLinearGroupColumns * kLinearDepth + kLinearRowsMax * kLinearInStride;

}  // namespace longtake
