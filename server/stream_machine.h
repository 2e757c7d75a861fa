// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One Stream call: a reader of one session. Reads controls, writes receipts and chunks, at most one
// write in flight. While a write is in flight or a chunk is being encoded the session is not
// polled; that is the whole back-pressure.
//
//   waiting --first message--> opening --attached--> live --end, error, cancel--> finished
//
// Threads: whoever the call, the session and the host come on; all state is under one mutex, which
// is held while the wire is told to start something. Lock order: stream, then session, then stage.
//
// Ownership: whoever owns the wire holds the machine until OnDone; tasks of the host hold it
// shared, the session's wake call weakly. A task that comes late finds the machine finished.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "longtake/v1/longtake.pb.h"
#include "server/stream_host.h"

namespace longtake {

class StreamMachine final : public std::enable_shared_from_this<StreamMachine> {
 public:
  // The wire must live until OnDone.
  StreamMachine(StreamWire& wire, std::shared_ptr<StreamHost> host);

  void Start() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnRead(v1::StreamRequest message) ABSL_LOCKS_EXCLUDED(mutex_);
  // The client says no more.
  void OnReadEnd() ABSL_LOCKS_EXCLUDED(mutex_);
  // Bytes that are no StreamRequest.
  void OnGarbled() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWritten(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancelled() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnTime() ABSL_LOCKS_EXCLUDED(mutex_);
  // The wire is gone.
  void OnDone() ABSL_LOCKS_EXCLUDED(mutex_);

  struct Report {
    std::string session_id;  // empty: it never had one
    absl::Status status;
    bool asked = false;  // a first message came
  };
  Report report() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class Phase { kWaiting, kOpening, kLive, kFinished };

  // Tasks of the host.
  void Open(const v1::StreamRequest& first) ABSL_LOCKS_EXCLUDED(mutex_);
  void Submit(const std::shared_ptr<Session>& session, uint64_t attachment,
              const v1::Control& control) ABSL_LOCKS_EXCLUDED(mutex_);
  // A control has its answer.
  void OnAnswered(uint64_t control_id, const absl::StatusOr<EventAccepted>& answer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void PutStart(const std::shared_ptr<Session>& session, uint64_t attachment,
                const v1::StartPart& start) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnStartPut(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void Encode(std::shared_ptr<const MediaChunk> chunk) ABSL_LOCKS_EXCLUDED(mutex_);
  // Schedules a Pump, at most one at a time. Any thread, under any lock but this one's.
  void Wake();
  bool IsFinished() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The first message takes its turn.
  void RunOpening(v1::StreamRequest first) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GoLive(StreamOpening opening) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandleLater(v1::StreamRequest message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts the next write, as long as there is one and none is in flight.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What ends the session or its attachment ends the call even when its client takes nothing.
  void EndIfLost() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool PollSession() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Take(std::shared_ptr<const MediaChunk> chunk) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Take(const SessionEnd& end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WritePart() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountInterval(int64_t encoded_nanos) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  StreamWire& wire_;  // until done_
  const std::shared_ptr<StreamHost> host_;
  const int64_t start_nanos_;
  std::atomic<bool> wake_scheduled_{false};

  mutable Mutex mutex_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kWaiting;
  Report report_ ABSL_GUARDED_BY(mutex_);
  bool done_ ABSL_GUARDED_BY(mutex_) = false;  // OnDone was called
  // The first message, while room is being made for what it asks.
  std::optional<v1::StreamRequest> asks_again_ ABSL_GUARDED_BY(mutex_);
  // It ended with the client's messages; whether the client went away is known when it is done.
  bool counted_when_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool write_in_flight_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_paused_ ABSL_GUARDED_BY(mutex_) = false;  // too many receipts wait for the reader
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;       // Ended is queued; finish after it
  // A control is on its way into the session, which is not polled meanwhile: else *applied* could
  // be sent before *accepted*.
  bool submitting_ ABSL_GUARDED_BY(mutex_) = false;
  // While encoding_ is set the task alone touches media_.
  bool encoding_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Session> session_ ABSL_GUARDED_BY(mutex_);  // while live
  uint64_t attachment_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<MediaWriter> media_;
  std::deque<v1::StreamResponse> queued_ ABSL_GUARDED_BY(mutex_);  // go before the next part
  bool made_session_ ABSL_GUARDED_BY(mutex_) = false;              // it reads the one it made
  std::optional<int64_t> last_chunk_nanos_ ABSL_GUARDED_BY(mutex_);
  // Of the chunk being written: its bytes so far, and its frames with the last part, else 0.
  uint64_t chunk_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t chunk_frames_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace longtake
