// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Brings the units of a stream plan into memory, in cyclic order and ahead of their use, and lends
// them once they match their checksums. Internal to the layer stream: it knows units, slots and
// requests, but nothing of layers or tensors. One thread; checksums are computed on the workers.
//
// Slots go to units in the order of use, whichever path a unit is on; each path has a queue of its
// own, so that all of them read as long as there are slots. A wait is for one path: what others
// answer meanwhile is taken in with its next answer, as no slot comes free before.
//
// Units are awaited and released in order. A unit that is released while reads for it are under way
// keeps its slot until the last has been answered.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "base/trace.h"
#include "base/worker_pool.h"
#include "storage/io/transfer_queue.h"
#include "storage/pack/pack_reader.h"
#include "storage/stream/stream_plan.h"

namespace longtake {

struct PartFetcherStats {
  uint64_t checksum_failures = 0;
  uint64_t io_errors = 0;
  uint64_t read_timeouts = 0;
  int64_t wait_nanos = 0;
  int64_t verify_nanos = 0;
};

class PartFetcher {
 public:
  struct Options {
    uint64_t request_bytes = 0;  // a multiple of the CRC block
    bool verify_every_sweep = true;
    int64_t read_timeout_nanos = 0;
    WorkerPool* workers = nullptr;  // for checksums; null: the caller's thread
    Trace* trace = nullptr;
    std::string trace_name = {};                 // of the stack
    const MemoryPopulator* populator = nullptr;  // of slots and layers; null: the caller's thread
    std::function<absl::StatusOr<AlignedBuffer>(uint64_t bytes)> allocate = {};
  };

  // Pack, plan and clock outlive the fetcher.
  PartFetcher(const PackReader& pack, const StreamPlan& plan, Options options, Clock& clock);

  // Memory of slots and of kept units; RESOURCE_EXHAUSTED.
  absl::Status Allocate();
  // The slots, for registration with the kernel.
  std::vector<std::span<std::byte>> slot_memory();
  // Starts reading, with a reader for each of the pack's layer files. Files must outlive the
  // fetcher.
  void Start(std::vector<std::unique_ptr<BlockIo>> readers);

  // Queues what there is room for and takes in what has come, on all paths. Never blocks.
  void Pump();
  // Blocks until something of the unit has come, or has failed. UNAVAILABLE when the disk that it
  // is on does not answer.
  absl::Status AwaitBegin(size_t unit);
  // Blocks until the unit is whole and verified. All units before it must have been released. After
  // an error only Restart helps.
  absl::StatusOr<std::span<const std::byte>> Await(size_t unit);
  // Gives the memory of the unit back; one that was not fetched yet will not be.
  void Release(size_t unit);
  // Forgets everything on its way; the next unit expected is number 0. Does not wait: slots that
  // the kernel may still write to are not used again before it has answered.
  void Restart();

  // One per path.
  const std::deque<TransferQueue>& queues() const { return queues_; }
  PartFetcherStats stats() const;

 private:
  // One unit on its way into memory, or there and not yet released.
  struct Fetch {
    size_t unit = 0;
    TransferQueue::Transfer* read = nullptr;
    uint64_t verified = 0;  // bytes, from the front
  };

  bool StartNextFetch();
  absl::Status AwaitOf(size_t unit, absl::FunctionRef<bool()> there);
  std::optional<size_t> FreeSlot(size_t unit) const;
  std::deque<Fetch>::iterator Find(size_t unit);
  absl::Status VerifyTo(Fetch& fetch, uint64_t end);
  absl::Status Verify(const Fetch& fetch, std::span<std::byte> bytes);
  absl::Status RepairCrcBlock(const Fetch& fetch, uint64_t block, std::span<std::byte> bytes);

  const PackReader& pack_;
  const StreamPlan& plan_;
  const Options options_;
  Clock& clock_;

  std::vector<AlignedBuffer> slots_;  // those of the plan, then one a unit, empty if it is streamed
  std::vector<bool> slot_taken_;
  std::vector<bool> resident_;        // per unit: kept and verified
  std::vector<bool> seen_;            // per CRC block: was right once
  std::deque<Fetch> fetches_;         // in the order of use
  size_t next_unit_ = 0;              // to fetch
  uint64_t begun_ = 0;                // fetches
  PartFetcherStats stats_;            // what the queues do not count
  std::deque<TransferQueue> queues_;  // last: they wait for reads into the memory above
};

}  // namespace longtake
