// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One thread a value.
#include "engine/backend/cuda/kernels/block.cuh"
#include "engine/backend/cuda/kernels/kernels.h"

namespace longtake::cuda {

static __global__ void WidenKernel(WidenTask task) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i < task.count) task.out[i] = FromBf16(task.in[i]);
}

void Widen(const WidenTask& task, Stream stream) {
  if (task.count == 0) return;
  Launch(WidenKernel, {.blocks = (task.count + kThreads - 1) / kThreads, .threads = kThreads},
         stream, task);
}

}  // namespace longtake::cuda
