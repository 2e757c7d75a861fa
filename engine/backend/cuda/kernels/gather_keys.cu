// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One block a row, of out. What is rotated is what was rounded, so that a key gives the same scores
// whether it comes from a session's memory or from the row that was just computed.
#include "engine/backend/cuda/kernels/block.cuh"
#include "engine/backend/cuda/kernels/kernels.h"

namespace longtake::cuda {

static __device__ __forceinline__ uint16_t Rounded(const GatherKeysTask& task, int64_t i) {
  return task.bf16 ? static_cast<const uint16_t*>(task.in)[i]
                   : ToBf16(static_cast<const float*>(task.in)[i]);
}

static __global__ void GatherKeysKernel(GatherKeysTask task) {
  const int64_t out_row = blockIdx.x;
  const int64_t row = out_row < task.rows ? out_row : task.rows - 1;
  const int64_t width = task.heads * task.head_dim;
  uint16_t* out = task.out + out_row * width;
  const int64_t begin = row * width;
  if (task.table == nullptr) {
    for (int64_t i = threadIdx.x; i < width; i += kThreads) out[i] = Rounded(task, begin + i);
    return;
  }
  const float* table = task.table + row * task.head_dim;
  const int64_t pairs = task.head_dim / 2;
  for (int64_t i = threadIdx.x; i < task.heads * pairs; i += kThreads) {
    const int64_t at = i % pairs * 2;
    const float cosine = table[at];
    const float sine = table[at + 1];
    const float a = FromBf16(Rounded(task, begin + 2 * i));
    const float b = FromBf16(Rounded(task, begin + 2 * i + 1));
    out[2 * i] = ToBf16(fmaf(a, cosine, -(b * sine)));
    out[2 * i + 1] = ToBf16(fmaf(b, cosine, a * sine));
  }
}

void GatherKeys(const GatherKeysTask& task, Stream stream) {
  if (task.out_rows == 0) return;
  Launch(GatherKeysKernel, {.blocks = task.out_rows, .threads = kThreads}, stream, task);
}

}  // namespace longtake::cuda
