// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One block a row.
#include "engine/backend/cuda/kernels/block.cuh"
#include "engine/backend/cuda/kernels/kernels.h"

namespace longtake::cuda {

static __global__ void StoreRowsKernel(StoreRowsTask task) {
  const int64_t begin = blockIdx.x * task.width;
  const float* in = task.in + begin;
  for (int64_t i = threadIdx.x; i < task.width; i += kThreads) {
    if (task.bf16) {
      static_cast<uint16_t*>(task.out)[begin + i] = ToBf16(in[i]);
    } else {
      static_cast<float*>(task.out)[begin + i] = in[i];
    }
  }
}

void StoreRows(const StoreRowsTask& task, Stream stream) {
  if (task.rows == 0) return;
  Launch(StoreRowsKernel, {.blocks = task.rows, .threads = kThreads}, stream, task);
}

}  // namespace longtake::cuda
