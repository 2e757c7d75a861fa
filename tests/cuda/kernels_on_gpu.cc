// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "tests/cuda/kernel_runner.h"

namespace longtake {
namespace {

void MustBeDone(cudaError_t error, const char* call) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s: %s\n", call, cudaGetErrorString(error));
  std::abort();
}

}  // namespace

std::string WhyNoKernelsRun() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return "";
  return absl::StrCat("SKIPPED, no GPU: ", cudaGetErrorString(error));
}

void RunKernels(uint64_t, const std::function<void()>& put) {
  put();
  MustBeDone(cudaGetLastError(), "putting kernels");
  MustBeDone(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

// Of the host, which a GPU reaches at the same address.
void* AllocateForKernels(size_t bytes) {
  void* memory = nullptr;
  MustBeDone(cudaHostAlloc(&memory, bytes, cudaHostAllocMapped), "cudaHostAlloc");
  return memory;
}
void FreeForKernels(void* memory) { MustBeDone(cudaFreeHost(memory), "cudaFreeHost"); }

}  // namespace longtake
