// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// From what the store has of a session to what the engine needs to go on with it, and to what its
// client may know.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "engine/serve/lane_costs.h"
#include "engine/serve/live_session.h"
#include "engine/serve/sweep_cost_model.h"
#include "engine/session/session.h"
#include "engine/store/stored_session.h"
#include "engine/take/decoder_state.h"
#include "engine/video/video_model.h"

namespace longtake {

// What a client may know of a session that is in the store alone.
SessionInfo InfoOfParked(const StoredSummary& stored, VideoModel& model);

// Chunks before another that its decoder remembers, the first of them perhaps in part.
int64_t WarmUpChunks(const ResolvedSpec& spec, VideoModel& model);
// The first chunk that can be shown again where latents are kept from this one on: its decoder has
// to be warmed up.
int64_t OldestChunk(int64_t first_kept, const ResolvedSpec& spec, VideoModel& model);

struct ResumePlan {
  SessionBeginning beginning;
  DecoderState decoder;
  std::deque<ChunkDecoded> before;  // of DecodeState
  Resumed resumed;                  // without the latents that its replay takes from the store
};

// For a client that wants the session from this chunk on (-1: from the first that had not been
// sent); it goes on from a snapshot, or from its beginning when that is null. OUT_OF_RANGE for a
// chunk that was not made or is not kept; FAILED_PRECONDITION when the session is of another model,
// or of other numerics unless its spec allows that (then after ChangeNumerics); DATA_LOSS when the
// records contradict each other or the model. Pure.
absl::StatusOr<ResumePlan> PlanResume(const StoredSession& stored, int64_t next_chunk,
                                      size_t events_max, const SnapshotPoint* snapshot,
                                      VideoModel& model);

// The record that a session which goes on in other numerics than it was made in needs, before all
// that comes of it, for a client that wants it from this chunk on; nothing for any other. What it
// is is added to stored. Errors as PlanResume.
absl::StatusOr<std::optional<NumericsChanged>> ChangeNumerics(int64_t next_chunk, VideoModel& model,
                                                              StoredSession* stored);

// Before anything else is asked: whether this server can go on with the session at all. Errors as
// PlanResume.
absl::Status CheckResume(const StoredSession& stored, const VideoModel& model);
// And whether it has come to this chunk, and still has it. Errors as PlanResume.
absl::Status CheckNextChunk(const StoredSession& stored, int64_t next_chunk, VideoModel& model);
// Whether one that ends before this chunk would have something to show. OUT_OF_RANGE.
absl::Status CheckShown(const StoredSummary& stored, int64_t end, VideoModel& model);

// Which way back a session takes and how long it is foreseen to be: sweeps of its replay, and its
// decoder's warm-up, in seconds; nullopt while that is not known.
struct ResumeReport {
  std::string id;
  int64_t chunk = 0;     // the next that it will make
  int64_t snapshot = 0;  // the chunk of the one it goes on from; 0: none
  std::optional<double> replay_seconds = {};
  std::optional<double> warm_up_seconds = {};
  std::optional<double> seconds = {};     // of both, beside each other
  std::vector<std::string> damaged = {};  // snapshots that were passed over, and why
};
using ResumeObserver = std::function<void(const ResumeReport&)>;

ResumeReport ForeseeResume(const StoredSession& stored, const Resumed& resumed,
                           const RolloutSpec& rollout, bool kv_in_file, const SweepCostModel& costs,
                           const LaneCosts& lanes, VideoModel& model);

// The same of a session that is parked, and will be read from its next chunk on. Errors as
// PlanResume.
absl::StatusOr<ResumeReport> ForeseeResume(const StoredSession& stored,
                                           const SnapshotPoint* snapshot, bool kv_in_file,
                                           const SweepCostModel& costs, const LaneCosts& lanes,
                                           VideoModel& model);

}  // namespace longtake
