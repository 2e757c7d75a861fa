// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/cpu_backend.h"

namespace longtake {

void CpuBackend::Rotary(const RotaryArgs& args) {
  LT_CHECK(args.rows >= 0 && args.heads > 0 && args.head_dim > 0 && args.head_dim % 2 == 0);
  const int64_t width = args.heads * args.head_dim;
  ParallelRows(args.rows, width, [&](int64_t begin, int64_t count) {
    kernels_.rotary({.x = args.x + begin * width,
                     .rows = count,
                     .heads = args.heads,
                     .head_dim = args.head_dim,
                     .table = args.table + begin * args.head_dim});
  });
}

void CpuBackend::GatedAdd(const GatedAddArgs& args) {
  LT_CHECK(args.rows >= 0 && args.width > 0 && args.group_rows > 0);
  ParallelRows(args.rows, args.width, [&](int64_t begin, int64_t count) {
    kernels_.gated_add({.x = args.x + begin * args.width,
                        .y = args.y + begin * args.width,
                        .rows = count,
                        .width = args.width,
                        .gate = args.gate,
                        .first_row = begin,
                        .group_rows = args.group_rows,
                        .group_stride = args.group_stride});
  });
}

void CpuBackend::Multiply(float* x, const float* y, int64_t count) {
  ParallelRows(count, 1,
               [&](int64_t begin, int64_t size) { kernels_.multiply(x + begin, y + begin, size); });
}

void CpuBackend::Silu(float* x, int64_t count) {
  ParallelRows(count, 1, [&](int64_t begin, int64_t size) { kernels_.silu(x + begin, size); });
}

void CpuBackend::Relu(float* x, int64_t count) {
  ParallelRows(count, 1, [&](int64_t begin, int64_t size) { kernels_.relu(x + begin, size); });
}

}  // namespace longtake
