// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Decoded chunks of a session, sent or not, bounded in bytes. Chunks that were sent stay for a
// reader that comes back, as long as the bytes allow. A plain value under the session's lock.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "base/status_macros.h"
#include "engine/session/media_chunk.h"

namespace longtake {

class Outbox {
 public:
  // The first chunk to come has this index and begins with this pixel frame. Chunks below made
  // were there once and come again.
  explicit Outbox(uint64_t bytes_max, int64_t next_chunk = 0, int64_t next_frame = 0,
                  int64_t made = 0)
      : bytes_max_(bytes_max),
        made_(made),
        next_unsent_(next_chunk),
        next_chunk_(next_chunk),
        frame_count_(next_frame) {}

  // Whether a chunk of this size fits beside what is unsent, with in_flight_bytes still to come.
  // The first unsent chunk always fits.
  bool HasRoom(uint64_t chunk_bytes, uint64_t in_flight_bytes) const;
  // Chunks come in the order of their indices.
  void Put(std::shared_ptr<const MediaChunk> chunk);
  // The reader goes on from this chunk; -1: from the first that was not sent. It may be one that
  // is still to come again, with those before it. OUT_OF_RANGE when it is no longer held or lies
  // in the future.
  absl::Status Seek(int64_t chunk);
  // Whether there is an unsent chunk.
  bool ready() const { return next_unsent_ < next_chunk_; }
  // The next unsent chunk, which counts as sent from now on. There must be one.
  std::shared_ptr<const MediaChunk> Pop();

  // Drops all chunks: nobody will read them.
  void Clear();

  int64_t oldest_chunk() const { return chunks_.empty() ? next_chunk_ : chunks_.front()->index; }
  int64_t next_unsent() const { return next_unsent_; }
  int64_t next_chunk() const { return next_chunk_; }  // index of the next Put
  int64_t frame_count() const { return frame_count_; }
  uint64_t held_bytes() const { return held_bytes_; }

 private:
  void Evict();

  uint64_t bytes_max_;
  std::deque<std::shared_ptr<const MediaChunk>> chunks_;
  uint64_t held_bytes_ = 0;
  uint64_t unsent_bytes_ = 0;
  int64_t made_;
  int64_t next_unsent_;
  int64_t next_chunk_;
  int64_t frame_count_;
};

}  // namespace longtake
