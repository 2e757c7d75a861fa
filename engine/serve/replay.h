// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a session that comes back from the store has to do again before it can go on: its chunks up
// to the one it had reached, with the events that held in them. Where their latents suffice they
// are taken from the store and cost a clean pass; a rolling rollout makes them again.
//
// A plain value; the stage's thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/serve/logged_chunks.h"

namespace longtake {

// What becomes of the chunks that a session makes again.
struct ChunkRange {
  int64_t decode_from =
      0;  // from here on they are decoded, so that the decoder knows what it knew;
  int64_t digest_from = 0;  // from here on their digests count;
  int64_t show_from = 0;    // and from here on they are for its client
};

struct Replay {
  std::vector<StoredLatents> settled;  // what its chunks were, from 0 on
  bool paused = false;                 // by its last events
  // It ended: its chunks are only decoded again, and no chunk follows.
  bool ending = false;
  std::unique_ptr<LoggedChunks> logged = {};  // null: the chunks are made again
  int64_t next_shown = 0;                     // of one that ended

  int64_t chunk_count() const { return std::ssize(settled); }
};

}  // namespace longtake
