// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One block a row.
#include "engine/backend/cuda/kernels/block.cuh"
#include "engine/backend/cuda/kernels/kernels.h"

namespace longtake::cuda {

static __global__ void RmsNormKernel(RmsNormTask task) {
  const int64_t begin = blockIdx.x * task.width;
  const float* in = task.in + begin;
  float* out = task.out + begin;
  float squares = 0.0f;
  for (int64_t i = threadIdx.x; i < task.width; i += kThreads) {
    squares = fmaf(in[i], in[i], squares);
  }
  const float count = static_cast<float>(task.width);
  const float inverse = 1.0f / sqrtf(BlockSum(squares) / count + task.eps);
  for (int64_t i = threadIdx.x; i < task.width; i += kThreads) {
    out[i] = in[i] * inverse * task.gain[i];
  }
}

void RmsNorm(const RmsNormTask& task, Stream stream) {
  if (task.rows == 0) return;
  Launch(RmsNormKernel, {.blocks = task.rows, .threads = kThreads, .shared_bytes = kSumBytes},
         stream, task);
}

}  // namespace longtake::cuda
