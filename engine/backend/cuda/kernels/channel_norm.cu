// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One warp a row: rows are voxels, of some tens or hundreds of channels.
#include "engine/backend/cuda/kernels/block.cuh"
#include "engine/backend/cuda/kernels/kernels.h"

namespace longtake::cuda {

static __global__ void ChannelNormKernel(ChannelNormTask task) {
  constexpr int kRows = kThreads / kWarp;
  const int64_t row = int64_t{blockIdx.x} * kRows + threadIdx.x / kWarp;
  if (row >= task.rows) return;  // the whole warp
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  const float* in = task.in + row * task.width;
  float* out = task.out + row * task.width;
  float squares = 0.0f;
  for (int64_t i = lane; i < task.width; i += kWarp) squares = fmaf(in[i], in[i], squares);
  const float norm = sqrtf(WarpSum(squares));
  const float factor = task.root_width / (norm < 1e-12f ? 1e-12f : norm);  // a NaN stays one
  for (int64_t i = lane; i < task.width; i += kWarp) {
    const float y = in[i] * factor * task.gamma[i];
    out[i] = task.silu ? SiluOf(y) : y;
  }
}

void ChannelNorm(const ChannelNormTask& task, Stream stream) {
  constexpr int64_t kRows = kThreads / kWarp;
  if (task.rows == 0) return;
  Launch(ChannelNormKernel, {.blocks = (task.rows + kRows - 1) / kRows, .threads = kThreads},
         stream, task);
}

}  // namespace longtake::cuda
