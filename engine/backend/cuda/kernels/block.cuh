// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What kernels share: how they are put into a stream, and sums over a block or a warp. On the host
// tests/cuda/cuda_host.h stands in for the first half.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef __CUDACC__
#include <cuda_runtime.h>

// The block's, as many bytes as it was put with.
extern __shared__ float shared_floats[];

namespace longtake::cuda {

struct LaunchShape {
  int64_t blocks = 0;
  int threads = 0;
  size_t shared_bytes = 0;
};

template <typename Task>
void Launch(void (*kernel)(Task), const LaunchShape& shape, CUstream_st* stream, const Task& task) {
  kernel<<<static_cast<unsigned>(shape.blocks), shape.threads, shape.shared_bytes, stream>>>(task);
}

}  // namespace longtake::cuda
#endif

namespace longtake::cuda {

constexpr int kWarp = 32;
constexpr int kThreads = 256;  // of a block that has a row
constexpr size_t kSumBytes = kThreads / kWarp * sizeof(float);

// The sum of the lanes' values, for each of them.
__device__ __forceinline__ float WarpSum(float value) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) value += __shfl_xor_sync(~0u, value, mask);
  return value;
}

// The same of a block of kThreads, in kSumBytes of shared memory.
__device__ __forceinline__ float BlockSum(float value) {
  value = WarpSum(value);
  __syncthreads();  // everybody has read what was summed before
  if (threadIdx.x % kWarp == 0) shared_floats[threadIdx.x / kWarp] = value;
  __syncthreads();
  float sum = 0.0f;
  for (int warp = 0; warp < kThreads / kWarp; ++warp) sum += shared_floats[warp];
  return sum;
}

// To nearest even, and a NaN stays one, in integers, as on the CPU.
__device__ __forceinline__ uint16_t ToBf16(float value) {
  const unsigned bits = __float_as_uint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
__device__ __forceinline__ float FromBf16(uint16_t bits) {
  return __uint_as_float(static_cast<unsigned>(bits) << 16);
}

__device__ __forceinline__ float SiluOf(float x) { return x / (1.0f + expf(-x)); }

}  // namespace longtake::cuda
