// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The layers of one pack, or a range of them, one after the other, for ever: 0, 1, ..., L-1, 0, ...
// Reads run ahead over the wrap, bounded by the slots; layers kept in memory are read once by the
// same path and then only lent. Bytes are lent after they matched their checksums, never before.
//
// All memory is allocated by Open. One thread, no worker, calls everything; the pack, its file
// system and the workers outlive the stream. All of the pack's layer files are read at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/trace.h"
#include "base/worker_pool.h"
#include "storage/io/open_block_io.h"
#include "storage/pack/pack_reader.h"
#include "storage/stream/layer_range.h"
#include "storage/stream/layer_stream_stats.h"
#include "storage/stream/path_stats.h"
#include "storage/tensor.h"

namespace longtake {

class LayerStream;

// One layer, lent to the engine. Tensors are asked for in use order; moving on to a later part
// gives the earlier ones' slots back for reading. Destruction gives back everything, read or not.
// Move only.
class LayerLease {
 public:
  LayerLease(LayerLease&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}
  LayerLease& operator=(LayerLease&& other) noexcept;
  ~LayerLease();

  size_t layer() const;  // its number in the pack
  size_t tensor_count() const;
  // Waits for the part that holds the tensor and verifies it. The view is valid until a tensor of a
  // later part is asked for or the lease ends. FAILED_PRECONDITION for a part already given back;
  // OUT_OF_RANGE for an index beyond the layer; DATA_LOSS naming pack, layer and CRC block when
  // bytes differ from their checksum twice; UNAVAILABLE for I/O errors and a disk that does not
  // answer.
  absl::StatusOr<TensorView> Tensor(size_t index);
  const LayerInfo& info() const;  // as the pack has it
  // The same of a whole part, for who copies it elsewhere.
  absl::StatusOr<std::span<const std::byte>> Part(size_t index);

 private:
  friend class LayerStream;
  explicit LayerLease(LayerStream* stream) : stream_(stream) {}
  LayerStream* stream_;
};

class LayerStream {
  struct Impl;
  struct Key {};

 public:
  // kFirstTouch trusts a CRC block that was right once since Open.
  enum class Verify { kFirstTouch, kEverySweep };

  struct Options {
    LayerRange layers = {};       // those of the pack that are wanted
    size_t slot_count = 0;        // parts in memory at once, with the one in use; 0: the plan's
    uint64_t kept_bytes_max = 0;  // whole layers, and parts for what they leave
    size_t queue_depth = 0;       // reads in flight on a path; 0: as many as the slots hold
    uint64_t request_bytes = 1 << 20;  // rounded to whole CRC blocks
    size_t pread_thread_count = 8;
    int64_t read_timeout_nanos = int64_t{30} * 1'000'000'000;  // without any answer
    IoChoice io = IoChoice::kAuto;
    Verify verify = Verify::kEverySweep;
    WorkerPool* workers = nullptr;  // share the checksums; null: the caller's thread does them
    Clock* clock = nullptr;         // for wait_seconds; null: the system's
    Trace* trace = nullptr;         // gets reads, waits and checksums; outlives the stream
    std::string trace_name = {};    // of the stack, before the tracks' names
    const MemoryPopulator* populator = nullptr;  // of slots and layers; null: the caller's thread
    // Instead: so many bytes, aligned to blocks of a disk, for who copies them elsewhere.
    std::function<absl::StatusOr<AlignedBuffer>(uint64_t bytes)> allocate = {};
  };

  using Stats = LayerStreamStats;

  LayerStream(Key, std::unique_ptr<Impl> impl);  // use Open
  // INVALID_ARGUMENT for a pack without layers, a range without any or a zero option;
  // RESOURCE_EXHAUSTED for memory; UNAVAILABLE when IoChoice::kUring is demanded and refused.
  static absl::StatusOr<std::unique_ptr<LayerStream>> Open(const PackReader& pack,
                                                           const Options& options);
  // What Open would allocate with these options, without opening.
  static uint64_t MemoryBytes(const PackReader& pack, const Options& options);
  ~LayerStream();

  // The next layer in cyclic order, as soon as it has begun to arrive. The lease before must have
  // ended. After an error the same error again until Rewind. Once the disk has not answered for
  // read_timeout_nanos, waits are short until it does, so that further sweeps fail soon.
  absl::StatusOr<LayerLease> Next();
  bool failed() const;  // a layer could not be read since the last Rewind
  // Drops an error and what was read ahead; the next Next() is the first layer.
  void Rewind();

  const LayerRange& layers() const;
  size_t layer_count() const;             // of the range
  uint64_t memory_bytes() const;          // slots and kept layers
  const std::vector<bool>& kept() const;  // per layer: whole
  uint64_t bytes_per_sweep() const;       // read in a steady sweep
  std::string io_name() const;    // "io_uring" or "pread", "direct" or "buffered"; of all paths
  std::string io_reason() const;  // why not the first choice; empty when it is
  Stats stats() const;
  std::vector<PathStats> path_stats() const;             // of each layer file, in the pack's order
  void ReadPathStats(std::span<PathStats> paths) const;  // their numbers anew, the names stay
  size_t disk_count() const;                             // that those files are on

 private:
  friend class LayerLease;

  std::unique_ptr<Impl> impl_;
};

}  // namespace longtake
