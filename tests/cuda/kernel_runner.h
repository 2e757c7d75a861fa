// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where a test's kernels run: on the host, or on a GPU, by what the test is linked with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace longtake {

// Empty where they do.
std::string WhyNoKernelsRun();
// Runs what puts kernels into the null stream, threads in that order where there is a choice, and
// ends when they are done.
void RunKernels(uint64_t order, const std::function<void()>& put);

// Memory that kernels and the host reach.
void* AllocateForKernels(size_t bytes);
void FreeForKernels(void* memory);

template <typename T>
struct KernelAllocator {
  using value_type = T;
  KernelAllocator() = default;
  template <typename U>
  KernelAllocator(const KernelAllocator<U>&) {}  // NOLINT: as allocators are
  T* allocate(size_t count) { return static_cast<T*>(AllocateForKernels(count * sizeof(T))); }
  void deallocate(T* memory, size_t) { FreeForKernels(memory); }
  friend bool operator==(const KernelAllocator&, const KernelAllocator&) { return true; }
};

}  // namespace longtake
