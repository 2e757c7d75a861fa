// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One block a row. The same operations as on the CPU, so the same bits.
#include "engine/backend/cuda/kernels/block.cuh"
#include "engine/backend/cuda/kernels/kernels.h"

namespace longtake::cuda {

static __global__ void RotaryKernel(RotaryTask task) {
  const int64_t row = blockIdx.x;
  const int64_t pairs = task.head_dim / 2;
  float* x = task.x + row * task.heads * task.head_dim;
  const float* table = task.table + row * task.head_dim;
  for (int64_t i = threadIdx.x; i < task.heads * pairs; i += kThreads) {
    const int64_t at = i % pairs * 2;
    const float cosine = table[at];
    const float sine = table[at + 1];
    const float a = x[2 * i];
    const float b = x[2 * i + 1];
    x[2 * i] = fmaf(a, cosine, -(b * sine));
    x[2 * i + 1] = fmaf(b, cosine, a * sine);
  }
}

void Rotary(const RotaryTask& task, Stream stream) {
  if (task.rows == 0) return;
  Launch(RotaryKernel, {.blocks = task.rows, .threads = kThreads}, stream, task);
}

}  // namespace longtake::cuda
