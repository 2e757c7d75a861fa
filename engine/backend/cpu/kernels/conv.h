// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Convolution in two kernels: one lays input rows out as planes, one sums taps over them.
//
// Planes are the inner loop's form of input: for each frame and padded row, one run of columns per
// channel, so that the pixels of a tile lie side by side and a tap is an offset. Borders are zeros
// in the planes; the inner loop knows no edges.
#pragma once

#include <cstdint>

namespace longtake {

// Turns one channels-last row into planes: channel c of column x goes to out[c * plane_stride + x],
// x in [0, columns). Column x is the input's column first_column + x * column_step, zero outside
// [0, in_columns); with upsample the input has twice as many columns as pixels.
struct PlaneRowTask {
  const float* in = nullptr;  // [pixels, channels]
  int64_t in_columns = 0;
  int64_t channels = 0;
  bool upsample = false;
  int64_t first_column = 0;
  int64_t column_step = 1;
  int64_t columns = 0;           // a multiple of 8
  const float* zeros = nullptr;  // [channels], what a column outside reads
  float* out = nullptr;          // 32-byte aligned
  int64_t plane_stride = 0;      // a multiple of 8
};

inline constexpr int64_t kConvOverread = 16;
inline constexpr int64_t kConvSumLanes = 16;

// Where a tap finds its first channel and its weights.
struct ConvTap {
  const float* planes = nullptr;   // column 0 of the row
  const float* weights = nullptr;  // [in_channels, lanes]
};

// One run of output pixels of one row, for one panel of output channels:
// out = ((fma chain over taps in order, channels in order, from 0) + bias) + previous out.
// Planes are readable, with any contents, for kConvOverread floats after the last pixel.
struct ConvRowTask {
  const ConvTap* taps = nullptr;
  int64_t tap_count = 0;
  int64_t in_channels = 0;
  int64_t plane_stride = 0;
  int64_t pixels = 0;
  int64_t lanes = 0;  // 8 or 16: output channels of the panel
  int64_t lanes_used = 0;
  const float* bias = nullptr;  // [lanes]
  bool accumulate = false;      // without it nothing is added
  float* out = nullptr;         // first pixel, first channel of the panel
  int64_t out_stride = 0;
  // A chain may be computed in several tasks, a run of its taps each: sums [pixels, 16] wait in
  // between. Only for 16 lanes.
  float* sums = nullptr;
  bool begins = true;  // else the chain goes on from sums
  bool ends = true;    // else it goes to sums, not to out
};

}  // namespace longtake
