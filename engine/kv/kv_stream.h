// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// K/V beyond memory: a scratch file has room for the frames of sessions that the pool cannot hold.
// Each lies in one extent of it (engine/kv/kv_extent.h).
//
// They come and go through memory: what a sweep attends to is read ahead of its layers in the order
// of use, what a clean pass makes is written behind. No bytes are lent that do not match the
// checksum of what was written; what differs is read once more, then the answer is DATA_LOSS. I/O
// errors and a disk that does not answer are UNAVAILABLE.
//
// One thread. The file outlives the stream. A frame outlives every sweep that reads or writes it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/trace.h"
#include "engine/backend/device.h"
#include "engine/kv/kv_extent.h"
#include "storage/io/open_block_io.h"
#include "storage/scratch/scratch_file.h"

namespace longtake {

class KvStream {
  struct Impl;
  struct Key {};

 public:
  struct Options {
    uint64_t bytes = 0;  // of memory: seven eighths to read into, the rest to write from
    uint64_t request_bytes = 1 << 20;
    IoChoice io = IoChoice::kAuto;
    int64_t timeout_nanos = int64_t{30} * 1'000'000'000;  // without any answer
    Clock* clock = nullptr;                               // null: the system's
    Trace* trace = nullptr;                               // outlives the stream
    const MemoryPopulator* populator = nullptr;  // of the memory; null: the caller's thread
  };

  struct Stats {
    uint64_t bytes_read = 0;
    uint64_t bytes_written = 0;
    uint64_t short_transfers = 0;
    uint64_t retries = 0;  // EINTR, EAGAIN
    uint64_t checksum_failures = 0;
    uint64_t io_errors = 0;
    uint64_t timeouts = 0;      // waits in which nothing was answered
    double wait_seconds = 0;    // the caller blocked
    double verify_seconds = 0;  // checksums, of what is written too

    void Add(const Stats& other);
  };

  KvStream(Key, std::unique_ptr<Impl> impl);  // use Open
  // In pinned memory of the device, which outlives the stream. RESOURCE_EXHAUSTED for memory;
  // UNAVAILABLE when io_uring is demanded and refused.
  static absl::StatusOr<std::unique_ptr<KvStream>> Open(Device& device, ScratchFile& file,
                                                        const Options& options);
  // The most bytes that one layer of all frames of a sweep may have, with so much memory: two such
  // layers find room, so that one is read while the other is computed.
  static uint64_t LayerBytesMax(uint64_t bytes);
  // The same of one layer of one frame, which is written whole.
  static uint64_t FrameBytesMax(uint64_t bytes);
  // What may be written of one layer when some of it is lent; the largest frame has so many bytes.
  uint64_t lend_bytes_max(uint64_t frame_bytes) const;
  ~KvStream();

  // What a sweep will read, layer by layer, frames in the order of use. Ends the sweep before, and
  // waits for what it has under way.
  absl::Status Begin(std::vector<const KvExtent*> frames, int64_t layers);
  // The layer of a frame, the next in the order of use, whole and verified. The bytes stay until
  // EndLayer.
  absl::StatusOr<std::span<const std::byte>> Await(const KvExtent& frame, int64_t layer);
  // Nothing of this layer or before is needed any more, read or not.
  void EndLayer(int64_t layer);
  // Stores what the file will have of a layer: it is there when this returns.
  using Store = absl::FunctionRef<absl::Status(std::span<std::byte> layer_bytes)>;
  // Has it stored, notes the checksum and queues the write; waits only for room. Errors of store.
  absl::Status Write(KvExtent& frame, int64_t layer, Store store);
  // The same, and the bytes as they are written; they stay until EndLayer. All writes of such
  // a layer must find room at once (lend_bytes_max), or RESOURCE_EXHAUSTED.
  absl::StatusOr<std::span<const std::byte>> WriteAndLend(KvExtent& frame, int64_t layer,
                                                          Store store);
  // Waits until everything is in the file. Frames written may be read by sweeps that begin later.
  absl::Status Finish();

  uint64_t layer_bytes_max() const;
  uint64_t frame_bytes_max() const;
  Stats stats() const;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace longtake
