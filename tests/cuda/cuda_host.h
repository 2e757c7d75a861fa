// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// CUDA's dialect on the host, so that own kernels (engine/backend/cuda/kernels) are tested where
// there is no GPU, under sanitizers too. Included before a kernel's source.
//
// Blocks run one after the other. The threads of a block are fibers of one thread; a barrier parks
// a fiber until all others of its block or warp have come. Between barriers they run in an order
// drawn from a seed. What a GPU leaves undefined ends the program with a message: a barrier that
// some threads of the block never reach, or have returned before.
//
// Says nothing of speed, of the approximations of a GPU's own functions, nor of memory between
// blocks.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>

#define __global__
#define __device__
#define __forceinline__ inline

namespace cuda_host {

struct Dim {
  unsigned x = 0;
};
// Of the fiber that runs.
struct Place {
  Dim thread;
  Dim block;
  Dim block_size;
  Dim grid_size;
};
const Place& Here();
// Of the block: new for each, of exactly the size that was asked for, and full of NaNs.
float* SharedFloats();
void SyncBlock();
void SyncWarp();
// What the lane whose number differs in this mask has given.
uint32_t Exchange(uint32_t bits, int lane_mask);

// In which order threads run: 0 is theirs, others are drawn.
void UseOrder(uint64_t seed);
struct Shape {
  unsigned grid = 1;
  unsigned block = 1;
  size_t shared_bytes = 0;
};
void RunGrid(const Shape& shape, const std::function<void()>& kernel);

}  // namespace cuda_host

#define threadIdx (cuda_host::Here().thread)
#define blockIdx (cuda_host::Here().block)
#define blockDim (cuda_host::Here().block_size)
#define gridDim (cuda_host::Here().grid_size)
#define shared_floats (cuda_host::SharedFloats())

inline void __syncthreads() { cuda_host::SyncBlock(); }
inline void __syncwarp() { cuda_host::SyncWarp(); }
inline float __shfl_xor_sync(unsigned, float value, int lane_mask) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  bits = cuda_host::Exchange(bits, lane_mask);
  std::memcpy(&value, &bits, sizeof(bits));
  return value;
}
inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

namespace longtake::cuda {

struct LaunchShape {
  int64_t blocks = 0;
  int threads = 0;
  size_t shared_bytes = 0;
};

template <typename Task, typename Stream>
void Launch(void (*kernel)(Task), const LaunchShape& shape, Stream, const Task& task) {
  cuda_host::RunGrid({.grid = static_cast<unsigned>(shape.blocks),
                      .block = static_cast<unsigned>(shape.threads),
                      .shared_bytes = shape.shared_bytes},
                     [&] { kernel(task); });
}

}  // namespace longtake::cuda
