// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/memory_populator.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/mutex.h"

namespace longtake {
namespace {

// For a kernel older than 5.14.
void TouchPages(std::span<std::byte> memory) {
  const auto page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (size_t at = 0; at < memory.size(); at += page_bytes) {
    *static_cast<volatile std::byte*>(&memory[at]) = std::byte{0};
  }
}

// What the parts of one Populate share.
class Run {
 public:
  Run(const MemoryPopulator::Options& options, std::span<std::byte> memory)
      : options_(options), memory_(memory), told_nanos_(options.clock->MonotonicNanos()) {}

  void TakePart(int64_t index) ABSL_LOCKS_EXCLUDED(mutex_) {
    if (given_up_) return;
    const uint64_t begin = static_cast<uint64_t>(index) * options_.part_bytes;
    const uint64_t bytes = std::min(options_.part_bytes, memory_.size() - begin);
    const absl::Status status = PopulateMemory(memory_.subspan(begin, bytes));
    if (!status.ok()) {
      GiveUp(status);
      return;
    }
    const uint64_t done_bytes = Count(bytes);
    if (done_bytes > 0) options_.progress(done_bytes, memory_.size());
  }

  absl::Status status() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return status_;
  }

 private:
  void GiveUp(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_) {
    given_up_ = true;
    MutexLock lock(mutex_);
    status_.Update(why);
  }

  // What is done by now, when it is time to tell; else 0.
  uint64_t Count(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_) {
    const int64_t now_nanos = options_.clock->MonotonicNanos();
    MutexLock lock(mutex_);
    done_bytes_ += bytes;
    if (!options_.progress || now_nanos - told_nanos_ < MemoryPopulator::kTellNanos) return 0;
    told_nanos_ = now_nanos;
    return done_bytes_;
  }

  const MemoryPopulator::Options& options_;
  const std::span<std::byte> memory_;
  std::atomic<bool> given_up_{false};
  Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  uint64_t done_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t told_nanos_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status PopulateMemory(std::span<std::byte> memory) {
  if (madvise(memory.data(), memory.size(), MADV_POPULATE_WRITE) == 0) return absl::OkStatus();
  if (errno == ENOMEM) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the system has no ", memory.size(), " bytes left"));
  }
  TouchPages(memory);
  return absl::OkStatus();
}

absl::Status MemoryPopulator::Populate(std::span<std::byte> memory) const {
  Run run(options_, memory);
  const uint64_t parts = CeilDiv(memory.size(), options_.part_bytes);
  options_.workers->ParallelFor(static_cast<int64_t>(parts),
                                [&run](int64_t index, int) { run.TakePart(index); });
  return run.status();
}

}  // namespace longtake
