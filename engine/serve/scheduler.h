// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The sessions of a stage between two sweeps: who arrived, which events hold from the next chunk
// on, who takes part in the next sweep, and what a finished one means for each. Runs no sweep
// itself.
//
// Nothing of a session but its turn changes before its sweep is settled, so an interrupted sweep is
// simply dropped. The stage's thread only, except for Add.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/kv/kv_stages.h"
#include "engine/kv/kv_tables.h"
#include "engine/serve/batcher.h"
#include "engine/serve/decode_lane.h"
#include "engine/serve/delivery.h"
#include "engine/serve/fair_turns.h"
#include "engine/serve/live_session.h"
#include "engine/serve/snapshots.h"
#include "engine/serve/stats_board.h"
#include "engine/serve/sweep_cost_model.h"
#include "engine/serve/take_journal.h"
#include "engine/video/video_model.h"

namespace longtake {

class Scheduler {
 public:
  struct Observers {
    // A session is over and forgotten; and what the stage had of it is gone, too, as far as it
    // could be written down.
    std::function<void(const std::string& id)> on_gone;
    std::function<void(const SessionKey& session)> on_left = {};
  };
  // All must outlive it. kv knows which frames sessions hold in kv_memory.
  Scheduler(VideoModel& model, KvTables& kv, const KvStages& kv_memory, DecodeLane& decode_lane,
            const TakeJournal& journal, Snapshots& snapshots, StatsBoard& board,
            Observers observers);

  // Any thread.
  void Add(Arrival arrival) ABSL_LOCKS_EXCLUDED(mutex_);

  // Takes in what happened since the last turn: arrivals, start frames, ends, events.
  void TakeNews() ABSL_LOCKS_EXCLUDED(mutex_);
  // Applies the events whose chunk boundary has come; whether there were any.
  bool ApplyEvents();
  // Chooses who takes part in the next sweep and charges them for the turn, even if the sweep is
  // dropped later. Only those with a chunk in work, unless chunks may be begun.
  std::vector<LiveSession*> Plan(const SweepCostModel& costs, bool begin_chunks = true);
  // The sweep with these sessions is done, or failed.
  void Settle(std::span<LiveSession* const> plan);
  void Fail(std::span<LiveSession* const> plan, const absl::Status& status);
  // A layer cannot be read: every session that waits for a sweep needs it and fails.
  void FailReady(const absl::Status& status);

  // Nothing more is done in this process: whether what sessions are is written down, as far as that
  // is worth it. As Snapshots::Leave.
  bool LeaveAll();
  // Nobody reads K/V any more.
  void CloseAll();

  std::span<const std::unique_ptr<LiveSession>> sessions() const { return live_; }
  // As SaveTake.
  absl::StatusOr<SavedTake> Save(const Session& session) const;

 private:
  void TakeArrivals() ABSL_LOCKS_EXCLUDED(mutex_);
  // Continues a saved session.
  void Resume(LiveSession& live);
  // The prompts that its spec has for later chunks, unless it brought them along.
  void AddPromptChanges(LiveSession& live);
  // Start frames that are complete go to the encoder; latents that came back go to their rollouts.
  void MoveStarts();
  void PutStart(FinishedStart& start);
  // A chunk that could not be decoded ends its session without the stage.
  void FailEnded();
  // A session that is over gives its K/V back at once; its outbox waits in over_ for the reader.
  void DropFinished();
  // Forgets a session that was deleted or whose ttl ran out; false for any other.
  bool ForgetIfAbandoned(Session& session);
  void Left(const Session& session);
  void TakeEvents(LiveSession& live);
  bool ApplyEvents(LiveSession& live);
  void Apply(LiveSession& live, PendingEvent& event);
  void ChangePrompt(LiveSession& live, PendingEvent& event);
  // Whether it can take part in a sweep.
  bool Ready(LiveSession& live) const;
  // The chunks that it was given, which need no sweep, as far as the outbox has room.
  void DeliverGiven(LiveSession& live);
  // Its state as a client sees it.
  void ShowState(LiveSession& live) const;
  static int64_t RowsMax(size_t ready, const SweepLimits& limits);
  // Of the planned sessions (indices into ready) those whose prompts and K/V from the file find
  // room.
  std::vector<LiveSession*> Fit(std::span<LiveSession* const> ready, std::span<const size_t> plan);
  void FitChained(std::span<LiveSession* const> plan);
  void Charge(std::span<LiveSession* const> plan, int64_t waiting_tokens,
              const SweepLimits& limits);
  void SettleSession(LiveSession& live);
  void Deliver(LiveSession& live, FinishedChunk chunk);
  // The stages' tables hold what the take says.
  void HoldFrames(LiveSession& live);

  VideoModel& model_;
  KvTables& kv_;
  const KvStages& kv_memory_;
  DecodeLane& decode_lane_;
  const TakeJournal& journal_;
  Snapshots& snapshots_;
  Delivery delivery_;
  StatsBoard& board_;
  const Observers observers_;

  std::vector<std::unique_ptr<LiveSession>> live_;
  std::vector<std::unique_ptr<LiveSession>> leaving_;  // forgotten, but still being written down
  std::vector<std::shared_ptr<Session>> over_;
  FairTurns turns_;

  Mutex mutex_;
  std::vector<Arrival> arrivals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace longtake
