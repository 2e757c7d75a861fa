// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Owned, aligned, zeroed memory for weights and direct I/O, in huge pages where the system has
// them. Move only; one thread at a time writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "base/status_macros.h"

namespace longtake {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;

  // alignment is a power of two. RESOURCE_EXHAUSTED when the system refuses.
  static absl::StatusOr<AlignedBuffer> Allocate(uint64_t bytes, uint64_t alignment);

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  uint64_t size() const { return bytes_; }
  std::span<std::byte> span() { return {data_.get(), bytes_}; }
  std::span<const std::byte> span() const { return {data_.get(), bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  AlignedBuffer(std::byte* memory, uint64_t bytes) : data_(memory), bytes_(bytes) {}

  std::unique_ptr<std::byte[], Free> data_;
  uint64_t bytes_ = 0;
};

}  // namespace longtake
