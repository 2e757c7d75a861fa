// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// From what the store has of a session to what the engine needs to go on with it, and to what its
// client may know: pure functions.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/status_macros.h"
#include "engine/serve/live_session.h"
#include "engine/session/session.h"
#include "engine/store/stored_session.h"
#include "engine/take/decoder_state.h"
#include "engine/video/video_model.h"

namespace longtake {

// What a client may know of a session that is in the store alone.
SessionInfo InfoOfParked(const StoredSummary& stored);

struct ResumePlan {
  SessionBeginning beginning;
  DecoderState decoder;
  std::deque<ChunkDecoded> before;     // of DecodeState
  std::vector<WaitingEvent> events;    // those that held already, each with its chunk
  std::vector<StoredLatents> settled;  // its chunks so far
  ChunkRange chunks;                   // of Resumed
  bool paused = false;
  bool ending = false;
};

// For a client that wants the session from this chunk on (-1: from the first that had not been
// sent). OUT_OF_RANGE for a chunk that was not made; FAILED_PRECONDITION when the session is of
// another model, or of other numerics unless its spec allows that; DATA_LOSS when the records
// contradict each other or the model.
absl::StatusOr<ResumePlan> PlanResume(const StoredSession& stored, int64_t next_chunk,
                                      size_t events_max, VideoModel& model);

}  // namespace longtake
