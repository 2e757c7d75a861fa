// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A stage: one device, the layers it runs and the thread that sweeps. Its turn is Step: news,
// texts, plan, sweep, settle. What is done in each is in scheduler, prompt_encoding and
// sweep_runner; the stage only puts them in order.
//
// Sessions arrive through Add (any thread); everything else happens on the stage's own thread, or
// on the test's when Start is never called.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <thread>

#include "base/clock.h"
#include "engine/kv/kv_stages.h"
#include "engine/kv/kv_tables.h"
#include "engine/serve/decode_lane.h"
#include "engine/serve/draining.h"
#include "engine/serve/prompt_encoding.h"
#include "engine/serve/scheduler.h"
#include "engine/serve/snapshots.h"
#include "engine/serve/stats_board.h"
#include "engine/serve/sweep_runner.h"
#include "engine/serve/wake_up.h"
#include "engine/video/video_model.h"

namespace longtake {

class Stage {
 public:
  struct Options {
    uint64_t prompt_cache_bytes_max = 0;
    // Called on the stage's thread: when a session is over and forgotten, when its K/V is, too, and
    // after a sweep.
    std::function<void(const std::string& id)> on_gone;
    std::function<void(const SessionKey& session)> on_left = {};
    SweepObserver on_sweep = {};
    SnapshotOptions snapshots = {};
  };

  // All must outlive the stage. costs learns from its sweeps.
  Stage(VideoModel& model, DecodeLane& decode_lane, const KvStages& kv_memory,
        const TakeJournal& journal, SweepCostModel& costs, Clock& clock, WakeUp& wake_up,
        Options options);
  ~Stage();

  void Start();
  // Drops the sweep in work between two layers and joins. Nothing reads K/V any more: a snapshot
  // that is still being written is given up.
  void Stop();
  void Add(Arrival arrival);
  // One turn; false when there was nothing to do.
  bool Step();

  // Begins no chunk from now on; when none is in work, what sessions are is written down where that
  // is worth it. Chunks of which none can be finished before the end, as far as that is foreseen,
  // are given up at once. In monotonic nanoseconds. Any thread.
  void Drain(int64_t end_nanos) {
    draining_.Begin(end_nanos);
    wake_up_.Wake();
  }
  // Then: whether that is done. Any thread.
  bool at_rest() const { return at_rest_; }

  // As Scheduler::Save; without Start.
  absl::StatusOr<SavedTake> Save(const Session& session) const { return scheduler_.Save(session); }

  // Any thread.
  EngineStats stats() const { return board_.Read(); }

 private:
  void Run();
  bool SweepChunks();
  // False when a layer cannot be read, so that trying the others would not help.
  bool SweepTogether(std::span<LiveSession* const> plan);
  absl::Status Sweep(std::span<LiveSession* const> plan);
  bool AnyoneLeft(std::span<LiveSession* const> plan) const;

  VideoModel& model_;
  const KvStages& kv_memory_;
  WakeUp& wake_up_;
  SweepCostModel& costs_;
  std::atomic<bool> stopping_{false};
  Draining draining_;
  std::atomic<bool> at_rest_{false};
  StatsBoard board_;
  KvTables kv_;
  Snapshots snapshots_;
  Scheduler scheduler_;
  SweepRunner runner_;
  PromptEncoding prompts_;
  bool text_had_turn_ = false;
  std::thread thread_;
};

}  // namespace longtake
