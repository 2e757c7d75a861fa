// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What becomes of chunks whose latents are final: new ones are written down, those that a session
// makes once more are compared with what it made before, and those that it need not make come from
// the store; all of them go to the decode lane. The stage's thread only.
#pragma once

#include "engine/serve/decode_lane.h"
#include "engine/serve/live_session.h"
#include "engine/serve/stats_board.h"
#include "engine/serve/take_journal.h"

namespace longtake {

class Delivery {
 public:
  // All must outlive it. Chunks have so many latent frames.
  Delivery(DecodeLane& decode_lane, const TakeJournal& journal, StatsBoard& board,
           int64_t chunk_frames)
      : decode_lane_(decode_lane), journal_(journal), board_(board), chunk_frames_(chunk_frames) {}

  // What its next chunk waits for, if for anything: its client or room in its outbox.
  SessionState StateOf(LiveSession& live) const;
  // The journal is told of a chunk, or, of one that was recorded before, it is compared; false when
  // it is another, and the session has failed.
  bool Tell(LiveSession& live, const FinishedChunk& chunk);
  void Decode(LiveSession& live, FinishedChunk chunk);
  // The chunks that are only decoded again, as far as the outbox has room.
  void DecodeAgain(LiveSession& live);

 private:
  DecodeLane& decode_lane_;
  const TakeJournal& journal_;
  StatsBoard& board_;
  const int64_t chunk_frames_;
};

}  // namespace longtake
