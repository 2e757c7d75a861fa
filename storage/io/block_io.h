// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Many reads and writes of aligned ranges in flight at once. What one needs until it is whole lives
// here once for both ways to do it (io_uring, a pool of threads): a short transfer is queued again
// for the rest, EINTR and EAGAIN are tried again, the end of the file and errors become a status.
//
// One thread calls; ranges, sizes and memory are multiples of 4 KiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status_macros.h"

namespace longtake {

struct BlockRequest {
  enum class Kind { kRead, kWrite };

  uint64_t tag = 0;  // the caller's; comes back with the completion
  uint64_t offset = 0;
  std::span<std::byte> memory;  // must stay until the completion
  Kind kind = Kind::kRead;
};

struct BlockCompletion {
  uint64_t tag = 0;
  // UNAVAILABLE: I/O error. DATA_LOSS: the file ends before the range. RESOURCE_EXHAUSTED: the disk
  // is full.
  absl::Status status;
};

struct BlockIoStats {
  uint64_t reads = 0;  // answered by the file
  uint64_t bytes_read = 0;
  uint64_t writes = 0;
  uint64_t bytes_written = 0;
  uint64_t short_transfers = 0;
  uint64_t retries = 0;  // EINTR, EAGAIN
};

class BlockIo {
 public:
  virtual ~BlockIo() = default;

  const std::string& path() const { return path_; }
  size_t capacity() const { return pending_.size(); }
  size_t in_flight() const { return in_flight_; }
  const BlockIoStats& stats() const { return stats_; }
  void ClearStats() { stats_ = {}; }

  // Queues a request; in_flight() < capacity(). It may start only with the next Flush, Poll or
  // Wait.
  void Submit(const BlockRequest& request);
  void Flush() { FlushRaw(); }
  // A completion that is there already.
  std::optional<BlockCompletion> Poll();
  // The next completion, waiting for it; in_flight() > 0. nullopt when none came in time.
  std::optional<BlockCompletion> Wait(int64_t timeout_nanos);

 protected:
  struct RawCompletion {
    size_t number = 0;
    int64_t result = 0;  // bytes or a negated errno
  };

  BlockIo(std::string path, size_t capacity);
  // Starts one attempt at what is left of a request; number < capacity names it.
  virtual void StartRaw(size_t number, const BlockRequest& rest) = 0;
  virtual void FlushRaw() {}
  // Waits at most so long for one attempt; 0: not at all.
  virtual std::optional<RawCompletion> NextRaw(int64_t wait_nanos) = 0;
  // Waits for all; derived destructors call it while the memory is still theirs.
  void Drain();

 private:
  struct Pending {
    BlockRequest request;
    size_t done_bytes = 0;
    int stall_count = 0;  // attempts in a row that brought nothing
  };
  std::optional<BlockCompletion> Next(int64_t wait_nanos);
  // Takes in the answer to one attempt.
  absl::Status Advance(Pending& pending, int64_t result);
  // nullopt: queued again.
  std::optional<BlockCompletion> Settle(const RawCompletion& raw);

  std::string path_;
  std::vector<Pending> pending_;
  std::vector<size_t> free_;
  size_t in_flight_ = 0;
  BlockIoStats stats_;
};

}  // namespace longtake
