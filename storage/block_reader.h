// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Many reads of aligned ranges in flight at once. What a read needs until it is whole lives here
// once for both ways to read (io_uring, a pool of pread threads): a short read is queued again for
// the rest, EINTR and EAGAIN are tried again, the end of the file and errors become a status.
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

struct BlockRead {
  uint64_t tag = 0;  // the caller's; comes back with the completion
  uint64_t offset = 0;
  std::span<std::byte> out;  // must stay until the completion
};

struct BlockCompletion {
  uint64_t tag = 0;
  absl::Status status;  // UNAVAILABLE: I/O error. DATA_LOSS: the file ends before the range
};

struct BlockReaderStats {
  uint64_t reads = 0;  // answered by the file
  uint64_t bytes_read = 0;
  uint64_t short_reads = 0;
  uint64_t retries = 0;  // EINTR, EAGAIN
};

class BlockReader {
 public:
  virtual ~BlockReader() = default;

  size_t capacity() const { return pending_.size(); }
  size_t in_flight() const { return in_flight_; }
  const BlockReaderStats& stats() const { return stats_; }
  void ClearStats() { stats_ = {}; }

  // Queues a read; in_flight() < capacity(). It may start only with the next Flush, Poll or Wait.
  void Submit(const BlockRead& read);
  void Flush() { FlushRaw(); }
  // A completion that is there already.
  std::optional<BlockCompletion> Poll();
  // The next completion, waiting for it; in_flight() > 0. nullopt when none came in time.
  std::optional<BlockCompletion> Wait(int64_t timeout_nanos);

 protected:
  struct RawCompletion {
    size_t slot = 0;
    int64_t result = 0;  // bytes or a negated errno
  };

  BlockReader(std::string path, size_t capacity);
  // Starts one attempt; slot < capacity names it.
  virtual void StartRaw(size_t slot, uint64_t offset, std::span<std::byte> out) = 0;
  virtual void FlushRaw() {}
  // Waits at most so long for one attempt; 0: not at all.
  virtual std::optional<RawCompletion> NextRaw(int64_t wait_nanos) = 0;
  // Waits for all; derived destructors call it while the memory is still theirs to write.
  void Drain();

 private:
  struct Pending {
    BlockRead read;
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
  BlockReaderStats stats_;
};

}  // namespace longtake
