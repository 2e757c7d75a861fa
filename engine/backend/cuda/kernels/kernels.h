// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Own CUDA kernels: the ops that memory bounds. Each is put into a stream and computes what the op
// of its name in engine/backend/backend.h says; sums have an order of their own, which depends on
// no shape but the row's. Plain structs with addresses of the device, so that what nvcc compiles
// includes nothing else of ours; the same sources are tested on the host (tests/cuda).
//
// Rules for that: no atomics, no inline PTX, no cooperative groups, nothing between the lanes of a
// warp without __syncwarp or a shuffle of all, shared memory only as shared_floats; products and
// sums that are to be one operation say fmaf, others are never contracted.
//
// Shapes are the caller's promise. What goes wrong is told by cudaGetLastError after the call.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace longtake::cuda {

using Stream = CUstream_st*;

// x = LN(x) * (gain_offset + gain) + bias, gain and bias per group of rows; in place too.
struct LayerNormTask {
  const float* in = nullptr;  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  float eps = 0;
  const float* gain = nullptr;  // [rows / group_rows, width] with the stride between groups
  const float* bias = nullptr;
  float gain_offset = 0;  // 1 where gain is a modulation's scale
  int64_t group_rows = 1;
  int64_t group_stride = 0;
  float* out = nullptr;
};
void LayerNorm(const LayerNormTask& task, Stream stream);

struct RmsNormTask {
  const float* in = nullptr;  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  float eps = 0;
  const float* gain = nullptr;  // [width]
  float* out = nullptr;         // may be in
};
void RmsNorm(const RmsNormTask& task, Stream stream);

struct ChannelNormTask {
  const float* in = nullptr;  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  const float* gamma = nullptr;  // [width]
  float root_width = 0;          // of the width
  bool silu = false;
  float* out = nullptr;  // may be in
};
void ChannelNorm(const ChannelNormTask& task, Stream stream);

struct RotaryTask {
  float* x = nullptr;  // [rows, heads * head_dim]
  int64_t rows = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  const float* table = nullptr;  // [rows, head_dim] as cos,sin per pair
};
void Rotary(const RotaryTask& task, Stream stream);

struct GatedAddTask {
  float* x = nullptr;        // [rows, width]
  const float* y = nullptr;  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  const float* gate = nullptr;  // per group of rows, or null
  int64_t group_rows = 1;
  int64_t group_stride = 0;
};
void GatedAdd(const GatedAddTask& task, Stream stream);

struct AddTableTask {
  const float* in = nullptr;  // [rows, in_width]
  int64_t rows = 0;
  int64_t in_width = 0;
  const float* table = nullptr;  // [width]
  int64_t width = 0;             // a multiple of in_width
  float* out = nullptr;          // [rows, width]
};
void AddTable(const AddTableTask& task, Stream stream);

// Consecutive rows of one piece.
struct StoreRowsTask {
  const float* in = nullptr;  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  bool bf16 = false;    // else fp32
  void* out = nullptr;  // [rows, width]
};
void StoreRows(const StoreRowsTask& task, Stream stream);

// Rows of bf16 for attention: in, rounded, then rotated and rounded again where there is a table.
// Rows of out beyond those of in are the last one of in, again and again.
struct GatherKeysTask {
  const void* in = nullptr;  // [rows, heads * head_dim]
  bool bf16 = false;         // else fp32
  int64_t rows = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  const float* table =
      nullptr;  // [rows, head_dim] as cos,sin per pair; null leaves them as they are
  int64_t out_rows = 0;
  uint16_t* out = nullptr;  // [out_rows, heads * head_dim]
};
void GatherKeys(const GatherKeysTask& task, Stream stream);

struct WidenTask {
  const uint16_t* in = nullptr;  // bf16
  int64_t count = 0;
  float* out = nullptr;
};
void Widen(const WidenTask& task, Stream stream);

struct DistanceBiasTask {
  const float* table = nullptr;      // [buckets, heads]
  const int32_t* buckets = nullptr;  // [2 * rows - 1], of the device
  int64_t heads = 0;
  int64_t rows = 0;
  float* out = nullptr;  // [heads, rows, rows]
};
void DistanceBias(const DistanceBiasTask& task, Stream stream);

struct PointwiseTask {
  float* x = nullptr;
  const float* y = nullptr;  // of Multiply
  int64_t count = 0;
};
void Multiply(const PointwiseTask& task, Stream stream);
void Silu(const PointwiseTask& task, Stream stream);
void Relu(const PointwiseTask& task, Stream stream);

}  // namespace longtake::cuda
