// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A session as the stage knows it: what the engine handed over, and what waits for its next chunk
// boundary. A plain value; the stage's thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/serve/decode_lane.h"
#include "engine/serve/replay.h"
#include "engine/serve/saved_take.h"
#include "engine/serve/snapshots_of_session.h"
#include "engine/serve/stats_board.h"
#include "engine/session/session.h"
#include "engine/store/snapshot.h"
#include "engine/take/take.h"
#include "engine/video/rollout.h"

namespace longtake {

// What a session brings along that another engine began: a value that was copied between two
// chunks, or what the store has of it.
struct Resumed {
  KvImage kv = {};
  std::vector<WaitingEvent> events = {};
  bool paused = false;
  bool ending = false;
  std::vector<Latents> undecoded = {};
  std::optional<Replay> replay = {};
  ChunkRange chunks = {};
  // Of one that the store has: what held already, all of it applied again by the end of its replay;
  // and the snapshot that it goes on from, if there is one, with its frames in the session's share.
  SnapshotPoint past = {};
  int64_t snapshot_chunk = 0;
  SnapshotFrames frames = {};
};

// What the engine hands over with a new session.
struct Arrival {
  uint64_t number = 0;  // by which the stages' tables know its K/V
  std::shared_ptr<Session> session;
  Reservation kv_share;      // its K/V in its peer's share
  KvShares kv;               // until the stages' tables have it
  MemoryReservation memory;  // what the rollout holds beside K/V; outlives it
  std::unique_ptr<Rollout> rollout;
  std::shared_ptr<DecodeState> decode;
  TakePrompts prompts;
  std::vector<std::vector<int32_t>> change_ids;  // of the spec's prompt_changes
  size_t changes_held = 0;                       // the first of them, which held already
  std::optional<Resumed> resumed = {};
};

// A waiting event and its encoded text, once it has one.
struct PendingEvent : WaitingEvent {
  explicit PendingEvent(WaitingEvent event) : WaitingEvent(std::move(event)) {}
  PromptTexts text = {};
  bool again = false;  // it held before the session came back
  bool is_prompt() const { return accepted.event.kind == EventKind::kPrompt; }
};

struct LiveSession {
  Arrival arrival;
  std::vector<PendingEvent> events;  // by chunk, then as they were accepted
  bool paused = false;
  bool ending = false;
  absl::Status failure;               // why it ends, when it was not asked to
  double turn_tag = 0;                // of its next sweep, in rows (engine/serve/fair_turns.h)
  int64_t rows_max = 0;               // of its next sweep, when it has so much to do
  std::optional<Replay> replay = {};  // until it is where it was
  ChunkRange chunks = {};             // of all it makes, those that its client wants
  SnapshotPoint past = {};            // what held so far, and the chunk before
  SnapshotsOfSession snapshots = {};

  Session& session() { return *arrival.session; }
  Take& take() const { return *arrival.rollout; }
  Rollout& rollout() const { return *arrival.rollout; }  // for its texts, its start and its state
  bool done() const { return ending || take().done(); }
  // What it brings to its next sweep.
  SweepNeeds needs() const { return take().needs(rows_max); }
  // Whether it still does what it did before.
  bool replaying() const {
    return replay.has_value() && (replay->decodes() || take().chunk() < replay->chunk_count());
  }
  // What is written of its next chunk, or nothing while that is still to come.
  absl::StatusOr<std::optional<Latents>> TakeLogged();
  // Hands that over.
  absl::Status FeedReplay();
  // Whether its next chunk is written, and still to come from the store.
  bool awaits_log() const;
  // Whether it has just come to where it was.
  bool FinishReplay();
  // Whether so many chunks that were given wait for their clean passes that more would only take
  // memory.
  bool has_enough_given() const;
  // Whether it makes nothing any more and only shows again what it made.
  bool shows_again() const { return replay.has_value() && replay->ending; }
  // Whether it has chunks yet that are only decoded, not made.
  bool decodes_again() const { return replay.has_value() && (replay->ending || replay->decodes()); }
  // The next of those, or nothing while that is still to come.
  absl::StatusOr<std::optional<FinishedChunk>> TakeDecodedAgain();
  // A chunk was made: the next it wrote down, or SESSION_CORRUPT when that was another.
  absl::Status CheckAgain(const FinishedChunk& chunk);
  bool is_new(const FinishedChunk& chunk) const {
    return !replay.has_value() || chunk.index >= replay->chunk_count();
  }
  // The chunk before which events can be applied next.
  int64_t next_boundary() { return take().chunk() + (take().at_chunk_start() ? 0 : 1); }
  // Nobody wants it any more: it was deleted, or its ttl ran out.
  bool abandoned() { return session().cancelled() || session().Expired(); }
  // The prompt that will be shown next, or null. Those before it are superseded: they are applied
  // with it and never encoded.
  PendingEvent* next_prompt();
  // Inserts it in the order of events.
  void AddEvent(WaitingEvent event, bool again = false);
  // The next prompt when it has no text yet, or null. What other prompts have is dropped: a session
  // holds the text of one waiting prompt at most.
  PendingEvent* prompt_to_encode();
  // Whether a prompt for this very chunk finds no room before the clean passes that wait are done.
  // They deliver nothing, so neither a pause nor a full outbox is a reason to wait.
  bool needs_clean_passes();
  // Whether the next chunk may not begin yet, because an event that names its frame is still to be
  // applied.
  bool held_back();
};

// Ends the session with this status and counts the failure, once.
void FailSession(LiveSession& live, const absl::Status& status, StatsBoard& board);

}  // namespace longtake
