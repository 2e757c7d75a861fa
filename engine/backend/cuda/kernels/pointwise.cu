// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One thread a value.
#include "engine/backend/cuda/kernels/block.cuh"
#include "engine/backend/cuda/kernels/kernels.h"

namespace longtake::cuda {

static __device__ __forceinline__ int64_t Index() {
  return int64_t{blockIdx.x} * kThreads + threadIdx.x;
}

static __global__ void MultiplyKernel(PointwiseTask task) {
  const int64_t i = Index();
  if (i < task.count) task.x[i] *= task.y[i];
}

static __global__ void SiluKernel(PointwiseTask task) {
  const int64_t i = Index();
  if (i < task.count) task.x[i] = SiluOf(task.x[i]);
}

static __global__ void ReluKernel(PointwiseTask task) {
  const int64_t i = Index();
  if (i < task.count) task.x[i] = (task.x[i] < 0.0f ? 0.0f : task.x[i]) + 0.0f;  // one zero
}

static void Run(void (*kernel)(PointwiseTask), const PointwiseTask& task, Stream stream) {
  if (task.count == 0) return;
  Launch(kernel, {.blocks = (task.count + kThreads - 1) / kThreads, .threads = kThreads}, stream,
         task);
}

void Multiply(const PointwiseTask& task, Stream stream) { Run(MultiplyKernel, task, stream); }
void Silu(const PointwiseTask& task, Stream stream) { Run(SiluKernel, task, stream); }
void Relu(const PointwiseTask& task, Stream stream) { Run(ReluKernel, task, stream); }

}  // namespace longtake::cuda
