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

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/trace.h"
#include "engine/serve/fair_turns.h"
#include "engine/serve/lane_costs.h"
#include "engine/serve/take_journal.h"
#include "engine/serve/wake_up.h"
#include "engine/session/session.h"
#include "engine/take/chunk_decoder.h"
#include "engine/take/decoder_state.h"
#include "engine/take/latents.h"

namespace longtake {

// What decoding keeps of a session between chunks. Only the decode lane's thread touches it; the
// counter may be read anywhere.
struct DecodeState {
  Reservation memory;  // what its caches hold; outlives them
  DecoderState decoder;
  std::atomic<int64_t> chunks_in_flight{0};
  std::optional<double> turn_tag;  // where its next chunk's turn starts; under the lane's lock
  // Of a session that comes back: what its chunks were that are decoded again, from
  // decoder.chunk on.
  std::deque<ChunkDecoded> before = {};
};

struct DecodeJob {
  std::shared_ptr<Session> session;
  std::shared_ptr<DecodeState> state;
  int64_t chunk = 0;
  Latents latents;
  bool last = false;     // the session ends after it
  bool warm_up = false;  // the decoder needs it for what follows; it has no digest
  bool unseen = false;   // it is not for the client
};

// Frames a session begins with, on their way to latents, a latent at a time.
struct StartJob {
  std::shared_ptr<Session> session;
  StartFrames frames;
  StartProgress progress = {};
  double turn_tag = 0;  // of its next latent
};

// The latents a session begins with, or why there are none.
struct FinishedStart {
  std::shared_ptr<Session> session;
  absl::StatusOr<Latents> latents;
};

DecodeChoice ChoiceOf(const ResolvedSpec& spec);

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
  // Writes it down, or compares it with what was written. DATA_LOSS when it came out otherwise.
  absl::Status Enter(const DecodeJob& job, const MediaChunk& chunk);

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
  bool release_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Stats stats_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace longtake
