// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a session that comes back from the store has to do again before it can go on: its chunks up
// to the one it had reached, with the events that held in them. Where their latents suffice they
// are taken from the store and cost a clean pass; a rolling rollout makes them again. With a
// snapshot all that is needed only of what came after it.
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
  bool comparable = true;              // what is made again is the same; not in other numerics
  bool paused = false;                 // by its last events
  // It ended: its chunks are only decoded again, and no chunk follows.
  bool ending = false;
  // Its chunks before this one are not made again: a snapshot has what they left. They are decoded
  // as far as its decoder or its client needs them.
  int64_t made_before = 0;
  std::unique_ptr<LoggedChunks> logged = {};  // from next_logged on, as far as it needs them
  int64_t next_logged = 0;

  int64_t chunk_count() const { return std::ssize(settled); }
  bool decodes() const { return next_logged < made_before; }
};

}  // namespace longtake
