// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The host's stand-in for CUDA finds what a GPU would hide.
#include "tests/cuda/cuda_host.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/backend/cuda/kernels/block.cuh"
#include "tests/cuda/fiber_sanitizers.h"

namespace longtake::cuda {
namespace {

struct SumTask {
  const float* in = nullptr;
  float* out = nullptr;  // [blocks, kThreads]
};

void SumKernel(SumTask task) {
  const size_t at = blockIdx.x * blockDim.x + threadIdx.x;
  task.out[at] = BlockSum(task.in[at]);
}

std::vector<float> Sums(uint64_t seed, void (*kernel)(SumTask)) {
  constexpr size_t kBlocks = 3;
  std::vector<float> in(kBlocks * kThreads);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i);
  std::vector<float> out(in.size());
  cuda_host::UseOrder(seed);
  Launch(kernel, {.blocks = kBlocks, .threads = kThreads, .shared_bytes = kSumBytes}, nullptr,
         SumTask{.in = in.data(), .out = out.data()});
  return out;
}

TEST(CudaHostTest, EveryThreadHasItsBlocksSum) {
  for (const uint64_t seed : {0, 1, 7}) {
    const std::vector<float> out = Sums(seed, SumKernel);
    for (size_t i = 0; i < out.size(); ++i) {
      const auto block = static_cast<float>(i / kThreads);
      EXPECT_EQ(out[i], kThreads * (kThreads * block + (kThreads - 1) / 2.0f));
    }
  }
}

// Who reads what another thread has written without a barrier gets what the order gives.
#if !defined(__SANITIZE_THREAD__)
void ForgetfulKernel(SumTask task) {
  const size_t at = blockIdx.x * blockDim.x + threadIdx.x;
  const float sum = WarpSum(task.in[at]);
  if (threadIdx.x % kWarp == 0) shared_floats[threadIdx.x / kWarp] = sum;
  task.out[at] = shared_floats[0] + shared_floats[kThreads / kWarp - 1];
}

TEST(CudaHostTest, AMissingBarrierShows) {
  const std::vector<float> first = Sums(0, ForgetfulKernel);
  const std::vector<float> other = Sums(1, ForgetfulKernel);
  EXPECT_NE(std::memcmp(first.data(), other.data(), first.size() * sizeof(float)), 0);
}

// Memory of a sum is used again while another warp has yet to read it.
void HastyKernel(SumTask task) {
  const size_t at = blockIdx.x * blockDim.x + threadIdx.x;
  float sum = 0.0f;
  for (int i = 0; i < 4; ++i) {
    const float value = WarpSum(task.in[at] * static_cast<float>(i));
    if (threadIdx.x % kWarp == 0) shared_floats[threadIdx.x / kWarp] = value;
    __syncthreads();
    for (int warp = 0; warp < kThreads / kWarp; ++warp) sum += shared_floats[warp];
  }
  task.out[at] = sum;
}

TEST(CudaHostTest, MemoryThatIsUsedAgainTooEarlyShows) {
  const std::vector<float> first = Sums(0, HastyKernel);
  int others = 0;
  for (const uint64_t seed : {1, 2, 3, 7}) {
    const std::vector<float> other = Sums(seed, HastyKernel);
    others += std::memcmp(first.data(), other.data(), first.size() * sizeof(float)) != 0 ? 1 : 0;
  }
  EXPECT_GT(others, 0);
}
#endif

void DivergentKernel(SumTask) {
  if (threadIdx.x < kWarp) {
    __syncthreads();
  } else {
    __syncwarp();
    __syncthreads();
    __syncthreads();
  }
}

void ReturningKernel(SumTask) {
  if (threadIdx.x == 5) return;
  __syncwarp();
}

void StuckKernel(SumTask) {
  if (threadIdx.x % kWarp == 0) {
    __syncthreads();
  } else {
    __syncwarp();
  }
}

TEST(CudaHostDeathTest, ABarrierThatNotAllReachEndsTheProgram) {
  EXPECT_DEATH(Sums(0, StuckKernel), "never reach");
  EXPECT_DEATH(Sums(1, DivergentKernel), "have returned before");
  EXPECT_DEATH(Sums(0, ReturningKernel), "have returned before");
}

#if defined(__SANITIZE_ADDRESS__)
void OverrunKernel(SumTask task) {
  const size_t at = blockIdx.x * blockDim.x + threadIdx.x;
  shared_floats[threadIdx.x / kWarp + 1] = task.in[at];
}

TEST(CudaHostDeathTest, SharedMemoryHasAnEnd) {
  EXPECT_DEATH(Sums(0, OverrunKernel), "heap-buffer-overflow");
}
#endif

}  // namespace
}  // namespace longtake::cuda
