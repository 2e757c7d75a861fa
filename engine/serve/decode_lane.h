// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The decode lane: latents -> pixels -> outbox, beside the sweeps, in the order the chunks settled.
// One thread, which splits its work over the shared workers.
//
// Bounded: the engine leaves a session out of the plan while its chunks in flight would not fit its
// outbox, so the queue never holds more than the outboxes could.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "engine/model/vae/cache.h"
#include "engine/serve/lane_costs.h"
#include "engine/serve/wake_up.h"
#include "engine/session/session.h"
#include "engine/video/latents.h"
#include "engine/video/video_model.h"

namespace longtake {

// What decoding keeps of a session between chunks. Only the decode lane's thread touches it; the
// counter may be read anywhere.
struct DecodeState {
  Reservation memory;            // what the caches hold; outlives them
  std::vector<VaeCache> caches;  // one, or one a tile
  int64_t next_frame = 0;        // pixel frame number
  Hash128 chain;
  std::atomic<int64_t> chunks_in_flight{0};
};

struct DecodeJob {
  std::shared_ptr<Session> session;
  std::shared_ptr<DecodeState> state;
  int64_t chunk = 0;
  Latents latents;
  bool last = false;  // the session ends after it
};

// Frames a session begins with, on their way to latents, a latent at a time.
struct StartJob {
  std::shared_ptr<Session> session;
  StartFrames frames;
  VaeCache cache = {};
  Latents latents = {};
  int64_t next_frame = 0;
};

// The latents a session begins with, or why there are none.
struct FinishedStart {
  std::shared_ptr<Session> session;
  absl::StatusOr<Latents> latents;
};

class DecodeLane {
 public:
  // Wakes whoever plans after each chunk and each start. The lane alone uses the model's decoders
  // and encoder. All three must outlive it.
  DecodeLane(VideoModel& model, Clock& clock, WakeUp& wake_up);
  ~DecodeLane();

  void Start();
  // Drops what waits, finishes the chunk in work, joins.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  void Put(DecodeJob job) ABSL_LOCKS_EXCLUDED(mutex_);
  // There must be an encoder.
  void PutStart(StartJob job) ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts that were encoded since the last call, or failed to be.
  std::vector<FinishedStart> TakeStarts() ABSL_LOCKS_EXCLUDED(mutex_);
  // One job on the caller's thread; false when none waits. Only for tests without Start.
  bool Step() ABSL_LOCKS_EXCLUDED(mutex_);

  struct Stats {
    uint64_t chunks = 0;
    uint64_t frames = 0;
    double seconds = 0.0;
    uint64_t backlog_chunks = 0;
    uint64_t waiting_starts = 0;  // clips that are not yet latents
  };
  Stats stats() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Of this lane, in pixels, and of the sweeps beside it, in floating point operations.
  LaneCosts& lane_costs() { return lane_costs_; }

 private:
  void Run();
  void Decode(DecodeJob& job);
  bool StepStart() ABSL_LOCKS_EXCLUDED(mutex_);
  void FinishStart(const StartJob& job, absl::StatusOr<Latents> latents)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status EncodeNext(StartJob& job);

  enum class Network { kDecoder, kTinyDecoder, kEncoder };
  void Use(Network network);
  absl::Status ToPixels(DecodeJob& job, std::vector<uint8_t>* rgb);

  VideoModel& model_;
  Clock& clock_;
  WakeUp& wake_up_;
  LaneCosts lane_costs_;
  mutable Mutex mutex_;
  CondVar work_;
  std::deque<DecodeJob> jobs_ ABSL_GUARDED_BY(mutex_);
  std::deque<StartJob> starts_ ABSL_GUARDED_BY(mutex_);
  std::vector<FinishedStart> finished_starts_ ABSL_GUARDED_BY(mutex_);
  bool start_had_turn_ = false;       // the lane's thread
  Network used_ = Network::kDecoder;  // the lane's thread
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Stats stats_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace longtake
