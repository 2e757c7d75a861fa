// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One block a row. The same operations as on the CPU, so the same bits.
#include "engine/backend/cuda/kernels/block.cuh"
#include "engine/backend/cuda/kernels/kernels.h"

namespace longtake::cuda {

static __global__ void GatedAddKernel(GatedAddTask task) {
  const int64_t row = blockIdx.x;
  float* x = task.x + row * task.width;
  const float* y = task.y + row * task.width;
  const float* gate =
      task.gate == nullptr ? nullptr : task.gate + row / task.group_rows * task.group_stride;
  for (int64_t i = threadIdx.x; i < task.width; i += kThreads) {
    x[i] = fmaf(y[i], gate == nullptr ? 1.0f : gate[i], x[i]);
  }
}

void GatedAdd(const GatedAddTask& task, Stream stream) {
  if (task.rows == 0) return;
  Launch(GatedAddKernel, {.blocks = task.rows, .threads = kThreads}, stream, task);
}

}  // namespace longtake::cuda
