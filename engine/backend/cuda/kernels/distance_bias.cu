// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One block for a head's row.
#include "engine/backend/cuda/kernels/block.cuh"
#include "engine/backend/cuda/kernels/kernels.h"

namespace longtake::cuda {

static __global__ void DistanceBiasKernel(DistanceBiasTask task) {
  const int64_t row = blockIdx.x % task.rows;
  const float* table = task.table + blockIdx.x / task.rows;
  const int32_t* buckets = task.buckets + task.rows - 1 - row;
  float* out = task.out + blockIdx.x * task.rows;
  for (int64_t key = threadIdx.x; key < task.rows; key += kThreads) {
    out[key] = table[buckets[key] * task.heads];
  }
}

void DistanceBias(const DistanceBiasTask& task, Stream stream) {
  if (task.rows == 0) return;
  Launch(DistanceBiasKernel, {.blocks = task.heads * task.rows, .threads = kThreads}, stream, task);
}

}  // namespace longtake::cuda
