// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Long ranges of one file on their way into memory or out of it. Each is cut into requests, and as
// many are under way as the disk's queue takes; a range is begun when the one before it has been
// asked for in full, so that the disk sees the order of use. Checksums are the user's. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/trace.h"
#include "storage/io/block_io.h"

namespace longtake {

class TransferQueue {
 public:
  struct Options {
    uint64_t request_bytes = 0;  // a multiple of 4 KiB
    int64_t timeout_nanos = 0;   // of a wait without any answer
    // Adds the next transfer; false when there is none, or no memory for it yet. Called when all
    // before are under way and the disk would take more.
    std::function<bool()> add_next;
    Clock* clock = nullptr;       // outlives the queue
    Trace* trace = nullptr;       // gets waits and transfers; null, or outlives the queue
    std::string trace_name = {};  // before the name of the track of waits
  };

  struct Range {
    BlockRequest::Kind kind = BlockRequest::Kind::kRead;
    uint64_t offset = 0;  // in the file
    std::span<std::byte> memory;
    std::string track = {};
    std::string trace_name = {};
    // Called once the transfer is gone and the kernel done with the memory, with the first error
    // there was. Must not call the queue.
    std::function<void(const absl::Status&)> done = {};
  };

  // A read is there until it is dropped, a write until it has been answered in full.
  class Transfer {
   public:
    std::span<std::byte> memory() const { return range_.memory; }
    // So many have come, without a gap, from the front; they may be used while the others come.
    uint64_t front_bytes() const { return front_bytes_; }
    // Of the first request that failed, as in BlockCompletion; after it no more are made.
    const absl::Status& status() const { return status_; }
    bool settled() const { return front_bytes_ == range_.memory.size() || !status_.ok(); }

   private:
    friend class TransferQueue;
    bool wants_more() const { return !dropped_ && status_.ok() && issued_ < arrived_.size(); }

    uint64_t number_ = 0;
    Range range_;
    std::vector<bool> arrived_;  // per request
    size_t issued_ = 0;          // requests
    size_t under_way_ = 0;       // and second readings
    uint64_t front_bytes_ = 0;
    absl::Status status_;
    bool dropped_ = false;
    int64_t issued_nanos_ = 0;
  };

  struct Stats {
    uint64_t io_errors = 0;
    uint64_t timeouts = 0;   // waits in which nothing was answered
    int64_t wait_nanos = 0;  // the caller blocked
  };

  // Its end waits for what is under way, and calls nobody.
  TransferQueue(std::unique_ptr<BlockIo> io, Options options)
      : options_(std::move(options)), io_(std::move(io)) {}
  // The depth to open a BlockIo with when so many requests find memory at once.
  static size_t Depth(uint64_t requests) { return std::clamp<uint64_t>(requests, 16, 1024); }

  // Behind all others. Nothing is asked for before the next Pump.
  Transfer& Add(Range range);
  // Nobody needs a read any more: what was not asked for never will be.
  void Drop(Transfer& read);
  // Takes in what has come and asks for what there is room for. Never blocks.
  void Pump();
  // Pumps until `there` says so, blocking between answers. UNAVAILABLE when the disk does not
  // answer in time; then every wait is short until it does.
  absl::Status Await(absl::FunctionRef<bool()> there);
  // Blocks until one more answer has come, with something under way: for a caller that has several
  // queues to pump between answers. Errors as Await.
  absl::Status Wait();
  // Part of a read once more, into the same memory. The status of that, or of the wait.
  absl::Status ReadAgain(Transfer& read, uint64_t begin, uint64_t bytes);

  const BlockIo& io() const { return *io_; }  // retries and short transfers are counted there
  const Stats& stats() const { return stats_; }

 private:
  void IssueRequests();
  void TakeIn(const BlockCompletion& completion);
  void RemoveIfDone(Transfer& transfer);

  const Options options_;
  std::map<uint64_t, Transfer> transfers_;  // by number, which is the order
  uint64_t next_number_ = 0;
  uint64_t first_unissued_ = 0;  // all before want no more
  bool stuck_ = false;           // the latest wait was in vain
  Stats stats_;
  std::unique_ptr<BlockIo> io_;
};

}  // namespace longtake
