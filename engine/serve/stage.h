// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A stage: one device, the layers it runs, its K/V pool and the thread that sweeps. The serving
// loop is Step: events, texts, plan, sweep, settle.
//
// Sessions arrive through Add (any thread); everything else happens on the stage's own thread, or
// on the test's when Start is never called. Nothing of a session changes before its sweep settled,
// so an interrupted sweep is simply dropped.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "engine/kv/kv_stream.h"
#include "engine/serve/decode_lane.h"
#include "engine/serve/engine_stats.h"
#include "engine/serve/sweep.h"
#include "engine/serve/sweep_costs.h"
#include "engine/session/session.h"
#include "engine/video/rollout.h"
#include "engine/video/video_model.h"

namespace longtake {

// What the engine hands over with a new session.
struct Arrival {
  std::shared_ptr<Session> session;
  std::unique_ptr<Rollout> rollout;
  std::shared_ptr<DecodeState> decode;
  std::vector<std::vector<int32_t>> prompt_ids;  // one per guidance branch
};

class Stage {
 public:
  // All must outlive the stage; kv_stream is null where no K/V lives in a file. on_gone is called
  // on the stage's thread when a session is over and forgotten, and so is on_sweep.
  Stage(VideoModel& model, DecodeLane& decode_lane, KvStream* kv_stream, Clock& clock,
        std::function<void(const std::string& id)> on_gone, SweepObserver on_sweep);
  ~Stage();

  void Start();
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  void Add(Arrival arrival) ABSL_LOCKS_EXCLUDED(mutex_);
  // The latents a session begins with, or why there are none. Any thread.
  void PutStart(std::shared_ptr<Session> session, absl::StatusOr<StartLatents> latents)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Something may have changed: an event, room in an outbox, a reader gone.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);
  // One turn; false when there was nothing to do.
  bool Step() ABSL_LOCKS_EXCLUDED(mutex_);

  EngineStats stats() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // An event that waits for its chunk boundary; prompts for their encoding too.
  struct PendingEvent {
    AcceptedEvent accepted;
    std::unique_ptr<TextContext> text;
    bool is_prompt() const { return accepted.event.kind == EventKind::kPrompt; }
  };
  struct Live {
    Arrival arrival;
    std::vector<PendingEvent> events;
    bool paused = false;
    bool ending = false;
    absl::Status failure;  // why, when it was not asked to
    uint64_t last_served_sweep = 0;

    Session& session() { return *arrival.session; }
    Rollout& rollout() { return *arrival.rollout; }
    bool done() const { return ending || arrival.rollout->done(); }
    // The prompt that will be shown next, or null. Those before it are superseded: they are applied
    // with it and never encoded, so that a session holds the text of one waiting prompt at most.
    PendingEvent* next_prompt();
  };
  struct TextJob;

  void Run();
  void TakeArrivals() ABSL_LOCKS_EXCLUDED(mutex_);
  // Start frames that are complete go to the encoder; latents that came back to their rollouts.
  void MoveStarts() ABSL_LOCKS_EXCLUDED(mutex_);
  void DropFinished();
  bool Gone(Session& session) ABSL_LOCKS_EXCLUDED(mutex_);
  void TakeEvents(Live& live);
  std::vector<TextJob> CollectTextJobs();
  bool EncodeTexts();
  void EncodeJobs(std::span<TextJob> jobs);
  void PutText(TextJob& job);
  void FailText(TextJob& job, const absl::Status& status);
  absl::Status RunTextSweep(std::span<TextJob> jobs);
  // What the disk did so far; between layers, as a sweep may take minutes.
  void PublishDisk() ABSL_LOCKS_EXCLUDED(mutex_);
  bool ApplyEvents(Live& live);  // whether there were any
  void Apply(Live& live, PendingEvent& event);
  bool Ready(Live& live);
  std::vector<Live*> Plan();
  bool SweepChunks();
  void SweepTogether(std::span<Live* const> plan);
  absl::Status RunVideoSweep(std::span<Live* const> plan);
  void SettleSession(Live& live);
  void Fail(std::span<Live* const> plan, const absl::Status& status);
  bool IsLeft(Live& live);
  bool AnyoneLeft(std::span<Live* const> plan);

  VideoModel& model_;
  DecodeLane& decode_lane_;
  KvStream* const kv_stream_;
  const uint64_t file_layer_bytes_max_;
  Clock& clock_;
  const std::function<void(const std::string& id)> on_gone_;
  const SweepObserver on_sweep_;

  // The stage's thread.
  std::vector<std::unique_ptr<Live>> live_;
  std::vector<std::shared_ptr<Session>> over_;
  uint64_t sweep_ = 0;
  std::vector<LayerTimes> layer_times_;
  SweepCosts costs_;
  bool text_had_turn_ = false;

  mutable Mutex mutex_;
  CondVar wake_condition_;
  std::vector<Arrival> arrivals_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::pair<std::shared_ptr<Session>, absl::StatusOr<StartLatents>>> starts_
      ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> stopping_{false};
  EngineStats stats_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace longtake
