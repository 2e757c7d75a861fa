// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The decode lane: latents -> media -> outbox, beside the sweeps. One thread, which splits its work
// over the shared workers.
//
// Sessions take turns by pixels (engine/serve/fair_turns.h). A turn is a chunk. The lane works at
// the chunk that would be done first if all shared the lane equally, and chooses again after each
// latent, so that a small chunk waits for one latent of a large one and not for all of it. The
// chunks of one session are decoded in order.
//
// Bounded: the engine leaves a session out of the plan while its chunks in flight would not fit its
// outbox, so the queue never holds more than the outboxes could.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/trace.h"
#include "engine/serve/decode_job.h"
#include "engine/serve/fair_turns.h"
#include "engine/serve/lane_costs.h"
#include "engine/serve/take_journal.h"
#include "engine/serve/wake_up.h"
#include "engine/take/chunk_decoder.h"
#include "engine/take/latents.h"

namespace longtake {

class DecodeLane {
 public:
  // Wakes whoever plans after each chunk and each start. The lane alone uses the decoder. trace may
  // be null. All must outlive it.
  DecodeLane(ChunkDecoder& decoder, const TakeJournal& journal, Clock& clock, WakeUp& wake_up,
             Trace* trace, const PixelSeconds& calibrated = {});
  ~DecodeLane();

  void Start();
  // Drops what waits, finishes the latent in work, joins.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  void Put(DecodeJob job) ABSL_LOCKS_EXCLUDED(mutex_);
  // The model must have an encoder.
  void PutStart(StartJob job) ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives back what the decoder works in, once there is nothing to do.
  void ReleaseWhenIdle() ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts that were encoded since the last call, or failed to be.
  std::vector<FinishedStart> TakeStarts() ABSL_LOCKS_EXCLUDED(mutex_);
  // A session's chunks that wait to be decoded, in order; FAILED_PRECONDITION while one of them is
  // decoded in part.
  absl::StatusOr<std::vector<Latents>> CopyWaiting(const Session& session) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // In whose memory the sessions' caches are.
  Device& device() const { return decoder_.device(); }
  // One latent on the caller's thread; false when none waits. Only for tests without Start.
  bool Step() ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether no chunk and no start waits.
  bool idle() const ABSL_LOCKS_EXCLUDED(mutex_);

  struct Stats {
    uint64_t chunks = 0;
    uint64_t frames = 0;
    double seconds = 0.0;
    uint64_t backlog_chunks = 0;
    uint64_t waiting_starts = 0;  // clips that are not yet latents
  };
  Stats stats() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Of this lane and of the sweeps beside it.
  LaneCosts& lane_costs() { return lane_costs_; }

 private:
  // A chunk, perhaps decoded in part.
  struct ChunkInWork {
    DecodeJob job;
    double start_tag = 0;
    double finish_tag = 0;
    int64_t next_latent = 0;
    std::vector<uint8_t> rgb = {};
    double seconds = 0;

    bool done() const { return next_latent == job.latents.frames(); }
  };

  void Run();
  bool StartIsNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::deque<ChunkInWork>::iterator NextChunk() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StepChunk(ChunkInWork work) ABSL_LOCKS_EXCLUDED(mutex_);
  void StepStart(StartJob job) ABSL_LOCKS_EXCLUDED(mutex_);
  void FinishStart(const StartJob& job, absl::StatusOr<Latents> latents)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status EncodeNext(StartJob& job);

  absl::Status DecodeNext(ChunkInWork& work);
  void FinishChunk(ChunkInWork& work) ABSL_LOCKS_EXCLUDED(mutex_);
  // The journal is told of it, or, of one that was recorded before, it is compared: SESSION_CORRUPT
  // when it came out otherwise.
  absl::Status Tell(const DecodeJob& job, const MediaChunk& chunk);

  ChunkDecoder& decoder_;
  const TakeJournal& journal_;
  Clock& clock_;
  WakeUp& wake_up_;
  Trace* const trace_;  // or null
  LaneCosts lane_costs_;
  mutable Mutex mutex_;
  CondVar work_;
  FairTurns turns_ ABSL_GUARDED_BY(mutex_);
  std::deque<ChunkInWork> chunks_ ABSL_GUARDED_BY(mutex_);  // a session's own in order
  std::deque<StartJob> starts_ ABSL_GUARDED_BY(mutex_);
  std::vector<FinishedStart> finished_starts_ ABSL_GUARDED_BY(mutex_);
  bool in_step_ ABSL_GUARDED_BY(mutex_) = false;  // a chunk or a start is in work
  bool release_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Stats stats_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace longtake
