// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One block for a run of in_width values, of which a row may have many: there are few timesteps.
#include "engine/backend/cuda/kernels/block.cuh"
#include "engine/backend/cuda/kernels/kernels.h"

namespace longtake::cuda {

static __global__ void AddTableKernel(AddTableTask task) {
  const int64_t runs = task.width / task.in_width;
  const int64_t run = blockIdx.x;
  const float* in = task.in + run / runs * task.in_width;
  const float* table = task.table + run % runs * task.in_width;
  float* out = task.out + run * task.in_width;
  for (int64_t i = threadIdx.x; i < task.in_width; i += kThreads) out[i] = table[i] + in[i];
}

void AddTable(const AddTableTask& task, Stream stream) {
  if (task.rows == 0) return;
  Launch(AddTableKernel,
         {.blocks = task.rows * (task.width / task.in_width), .threads = kThreads}, stream, task);
}

}  // namespace longtake::cuda
