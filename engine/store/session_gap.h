// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What is kept in memory of a session of which not everything could be written down, because more
// waited for the disk than may wait: its stored history has a gap. Once the disk takes it, history
// begins anew, in one transaction: with a snapshot, every event since the gap began, and the latest
// chunks, as far back as decoder and reader need them. Chunks from before those are gone.
//
// A plain value, under the store's lock.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "engine/store/record.h"
#include "engine/take/latents.h"

namespace longtake {

class SessionGap {
 public:
  // What was handed over.
  struct Entry {
    Record record;
    std::shared_ptr<const Latents> latents = {};  // of the record, or null
    uint64_t bytes = 0;
  };

  // In the order in which it was handed over. Too many events are given up, and the session is not
  // durable until it leaves memory.
  void Keep(Entry entry);
  // Of all that is kept, and of chunks alone.
  uint64_t bytes() const { return bytes_; }
  uint64_t chunk_bytes() const { return chunk_bytes_; }
  // Of chunks before this one nobody needs anything.
  void DropBefore(int64_t chunk);
  // There is no room for chunks.
  void DropChunks();
  void GiveUp();
  // Something was refused that went to the disk before the gap: what follows it is refused, too.
  void Refuse();
  bool refused() const { return refused_; }

  // Whether history can begin anew, where chunks from this one on are needed and so many were
  // decoded before the gap.
  bool MayBegin(int64_t needed, int64_t decoded) const;
  // It is about to, under this number. That ends when a chunk is dropped.
  void Begin(uint64_t number) { begun_ = number; }
  bool Is(uint64_t number) const { return begun_ == number; }
  // Behind the record of the beginning, which has its snapshot at this chunk, all that is kept.
  std::deque<Entry> Write(int64_t base);
  // That is durable: what was kept since.
  std::deque<Entry> TakeRest();
  // It came to nothing.
  void End();

 private:
  struct Kept {
    Entry entry;
    std::optional<int64_t> chunk;  // which it is of, where it is a chunk's
  };
  void Drop(const Kept& kept);

  std::deque<Kept> kept_;
  uint64_t bytes_ = 0;
  uint64_t chunk_bytes_ = 0;
  uint64_t event_bytes_ = 0;
  std::optional<int64_t> first_ = {};        // chunk that is kept
  std::optional<ChunkDecoded> before_ = {};  // the last that was decoded before it
  std::optional<uint64_t> begun_ = {};
  size_t written_ = 0;  // of kept_, in the transaction under way
  bool given_up_ = false;
  bool refused_ = false;
};

}  // namespace longtake
