// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The chunks of one session as they arrive, over however many streams: puts parts together, and
// holds that each chunk goes on where the one before ended. So what was written before a stream
// broke and what the next one brings are one video, or it is said that they are not. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status_macros.h"
#include "longtake/v1/longtake.pb.h"

namespace longtake {

class ChunkChain {
 public:
  // The first message of a stream. A part of a chunk that the stream before left behind is dropped.
  // Of a later stream DATA_LOSS when it is not at next_chunk() or the server has less on disk than
  // it said, FAILED_PRECONDITION when the session was rewound or its video is encoded otherwise.
  absl::Status Open(const v1::Opened& opened);
  // The errors of a later stream that such a session would have, whichever chunk it begins with.
  absl::Status CheckSession(const v1::Session& session) const;
  // The whole chunk when its last part came, until then nothing. DATA_LOSS when a part or a chunk
  // is missing, or chain_digest does not follow from the chunk before.
  absl::StatusOr<std::optional<v1::Chunk>> Add(const v1::Chunk& part);
  // The first chunk that did not come whole; where the next stream begins. After the first Open.
  int64_t next_chunk() const { return next_chunk_; }
  // The most that was told to be on disk, and of which epoch. After the first Open.
  int64_t durable_through() const { return durable_through_; }
  int64_t epoch() const { return epoch_; }

 private:
  absl::Status CheckGoesOn(const v1::Opened& opened) const;

  bool opened_ = false;
  std::string init_segment_;
  int64_t epoch_ = 0;
  int64_t next_chunk_ = 0;
  int64_t durable_through_ = 0;  // the most that was told
  std::string chain_digest_;     // of the chunk before next_chunk_; empty: not known
  std::string data_;             // what came of that chunk
};

}  // namespace longtake
