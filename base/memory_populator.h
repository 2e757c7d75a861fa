// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Takes the pages of large buffers from the system before they are used, on all workers, as one
// thread would need minutes for 100 GiB. AlignedBuffer calls it.
//
// Any thread but the workers' own. What the options name must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/clock.h"
#include "base/status_macros.h"
#include "base/worker_pool.h"

namespace longtake {

class MemoryPopulator {
 public:
  struct Options {
    WorkerPool* workers = nullptr;
    Clock* clock = nullptr;
    // Called by a worker, every kTellNanos while memory is taken; may be empty.
    std::function<void(uint64_t done_bytes, uint64_t total_bytes)> progress = {};
    uint64_t part_bytes = 32 << 20;
  };

  explicit MemoryPopulator(Options options) : options_(std::move(options)) {}

  // memory is fresh from mmap and stays zero. RESOURCE_EXHAUSTED when the system has not as many
  // pages.
  absl::Status Populate(std::span<std::byte> memory) const;

  static constexpr int64_t kTellNanos = 2'000'000'000;

 private:
  const Options options_;
};

// The same on the caller's thread, whatever it takes.
absl::Status PopulateMemory(std::span<std::byte> memory);

}  // namespace longtake
