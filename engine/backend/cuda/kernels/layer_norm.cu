// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One block a row; the variance is summed around the mean, in a second pass over the row.
#include "engine/backend/cuda/kernels/block.cuh"
#include "engine/backend/cuda/kernels/kernels.h"

namespace longtake::cuda {

static __global__ void LayerNormKernel(LayerNormTask task) {
  const int64_t row = blockIdx.x;
  const float* in = task.in + row * task.width;
  float* out = task.out + row * task.width;
  const int64_t group = row / task.group_rows * task.group_stride;
  const float* gain = task.gain + group;
  const float* bias = task.bias + group;
  const float count = static_cast<float>(task.width);
  float sum = 0.0f;
  for (int64_t i = threadIdx.x; i < task.width; i += kThreads) sum += in[i];
  const float mean = BlockSum(sum) / count;
  float squares = 0.0f;
  for (int64_t i = threadIdx.x; i < task.width; i += kThreads) {
    const float centered = in[i] - mean;
    squares = fmaf(centered, centered, squares);
  }
  const float inverse = 1.0f / sqrtf(BlockSum(squares) / count + task.eps);
  for (int64_t i = threadIdx.x; i < task.width; i += kThreads) {
    out[i] = fmaf((in[i] - mean) * inverse, task.gain_offset + gain[i], bias[i]);
  }
}

void LayerNorm(const LayerNormTask& task, Stream stream) {
  if (task.rows == 0) return;
  Launch(LayerNormKernel, {.blocks = task.rows, .threads = kThreads, .shared_bytes = kSumBytes},
         stream, task);
}

}  // namespace longtake::cuda
