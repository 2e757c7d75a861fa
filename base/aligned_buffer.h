// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Owned, aligned, zeroed memory for weights and direct I/O, in huge pages where the system has
// them, and all of it taken from the system at once. Move only; one thread at a time writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/status_macros.h"

namespace longtake {

class MemoryPopulator;

class AlignedBuffer {
 public:
  AlignedBuffer() = default;

  // alignment is a power of two. RESOURCE_EXHAUSTED when the system refuses, and the populator's
  // errors; null takes the memory on the caller's thread.
  static absl::StatusOr<AlignedBuffer> Allocate(uint64_t bytes, uint64_t alignment,
                                                const MemoryPopulator* populator = nullptr);

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  uint64_t size() const { return bytes_; }
  std::span<std::byte> span() { return {data_.get(), bytes_}; }
  std::span<const std::byte> span() const { return {data_.get(), bytes_}; }
  // Called with the memory before it goes, for who registered it somewhere; once, if not empty.
  using ReleaseHook = void (*)(std::byte* memory);
  void OnRelease(ReleaseHook hook) { data_.get_deleter().hook = hook; }

 private:
  struct Free {
    Free() : mapped_bytes(0) {}
    explicit Free(uint64_t mapped) : mapped_bytes(mapped) {}
    uint64_t mapped_bytes;  // 0: of the heap
    ReleaseHook hook = nullptr;
    void operator()(std::byte* memory) const;
  };
  AlignedBuffer(std::byte* memory, uint64_t bytes, uint64_t mapped_bytes)
      : data_(memory, Free(mapped_bytes)), bytes_(bytes) {}
  static absl::StatusOr<AlignedBuffer> OfHeap(uint64_t bytes, uint64_t alignment, uint64_t padded);
  static absl::StatusOr<AlignedBuffer> OfPages(uint64_t bytes, uint64_t alignment, uint64_t padded,
                                               const MemoryPopulator* populator);

  std::unique_ptr<std::byte[], Free> data_;
  uint64_t bytes_ = 0;
};

}  // namespace longtake
