// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/cpu_backend.h"

namespace longtake {

void CpuBackend::Rotary(const RotaryArgs& args) {
  LT_CHECK(args.rows >= 0 && args.heads > 0 && args.head_dim > 0 && args.head_dim % 2 == 0);
  const int64_t width = args.heads * args.head_dim;
  ParallelRows(args.rows, width, [&](int64_t begin, int64_t count) {
    kernels_.rotary({.x = args.x.address() + begin * width,
                     .rows = count,
                     .heads = args.heads,
                     .head_dim = args.head_dim,
                     .table = args.table.address() + begin * args.head_dim});
  });
}

void CpuBackend::GatedAdd(const GatedAddArgs& args) {
  LT_CHECK(args.rows >= 0 && args.width > 0 && args.group_rows > 0);
  ParallelRows(args.rows, args.width, [&](int64_t begin, int64_t count) {
    kernels_.gated_add({.x = args.x.address() + begin * args.width,
                        .y = args.y.address() + begin * args.width,
                        .rows = count,
                        .width = args.width,
                        .gate = args.gate.address(),
                        .first_row = begin,
                        .group_rows = args.group_rows,
                        .group_stride = args.group_stride});
  });
}

// By runs of in_width, of which a row may have many: there are few timesteps.
void CpuBackend::AddTable(const AddTableArgs& args) {
  LT_CHECK(args.rows >= 0 && args.in_width > 0 && args.width % args.in_width == 0);
  const int64_t runs = args.width / args.in_width;
  ParallelRows(args.rows * runs, args.in_width, [&](int64_t begin, int64_t count) {
    for (int64_t run = begin; run < begin + count; ++run) {
      const float* in = args.in.address() + run / runs * args.in_width;
      const float* table = args.table.address() + run % runs * args.in_width;
      float* out = args.out.address() + run * args.in_width;
      for (int64_t i = 0; i < args.in_width; ++i) out[i] = table[i] + in[i];
    }
  });
}

void CpuBackend::DistanceBias(const DistanceBiasArgs& args) {
  const int64_t rows = args.rows;
  LT_CHECK(args.heads > 0 && std::ssize(args.buckets) == 2 * rows - 1);
  ParallelRows(args.heads * rows, rows, [&](int64_t begin, int64_t count) {
    for (int64_t row = begin; row < begin + count; ++row) {
      const float* table = args.table.address() + row / rows;
      const int32_t* buckets = args.buckets.data() + rows - 1 - row % rows;
      float* out = args.out.address() + row * rows;
      for (int64_t key = 0; key < rows; ++key) out[key] = table[buckets[key] * args.heads];
    }
  });
}

void CpuBackend::Multiply(DevicePtr<float> x, DevicePtr<const float> y, int64_t count) {
  ParallelRows(count, 1, [&](int64_t begin, int64_t size) {
    kernels_.multiply(x.address() + begin, y.address() + begin, size);
  });
}

void CpuBackend::Silu(DevicePtr<float> x, int64_t count) {
  ParallelRows(count, 1,
               [&](int64_t begin, int64_t size) { kernels_.silu(x.address() + begin, size); });
}

void CpuBackend::Relu(DevicePtr<float> x, int64_t count) {
  ParallelRows(count, 1,
               [&](int64_t begin, int64_t size) { kernels_.relu(x.address() + begin, size); });
}

}  // namespace longtake
