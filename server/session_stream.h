// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One Stream call: a reader of one session. Reads controls, writes receipts and chunks, at most one
// write in flight. While a write is in flight or a chunk is being encoded the session is not
// polled; that is the whole back-pressure.
//
//   waiting --first message--> opening --attached--> live --end, error, cancel--> finished
//
// Ownership: gRPC knows the reactor until OnDone, the session's wake call and pool tasks may still
// come later; so the object owns itself until OnDone and everybody else holds it shared or weak.
// Nothing is started on the call once finished_ is set, which makes a late task harmless.
//
// Threads: gRPC's for the four reactions, the worker pool for opening, controls, encoding and
// wake-ups. All state is under one mutex. Starting an operation under it is safe: gRPC never runs a
// reaction inside StartRead, StartWrite or Finish of another thread's call stack. Lock order:
// stream, then session, then stage.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "engine/session/session.h"
#include "longtake/v1/longtake.pb.h"
#include "server/media_writer.h"
#include "server/service_context.h"
#include "server/stream_opening.h"

namespace longtake {

class SessionStream final : public grpc::ServerBidiReactor<v1::StreamRequest, v1::StreamResponse>,
                            public std::enable_shared_from_this<SessionStream> {
 public:
  // The reactor for gRPC; it frees itself.
  static SessionStream* Start(ServiceContext& context, grpc::CallbackServerContext& call,
                              Caller caller);
  SessionStream(ServiceContext& context, grpc::CallbackServerContext& call, Caller caller);

  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class Phase { kWaiting, kOpening, kLive, kFinished };
  // Pool thread.
  void Open() ABSL_LOCKS_EXCLUDED(mutex_);
  void EncodeChunk(std::shared_ptr<const MediaChunk> chunk) ABSL_LOCKS_EXCLUDED(mutex_);
  // When the call is over.
  void LogClosed() ABSL_LOCKS_EXCLUDED(mutex_);
  // Any thread: schedules a Pump, at most one at a time.
  void Wake();

  void GoLive(StreamOpening opening) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends a call whose first message does not come.
  void AwaitFirstMessage();
  // What ends the session or its attachment ends the call even when its client takes nothing.
  void EndIfLost() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts the next write, as long as there is one and none is in flight.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool PollSession() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Take(std::shared_ptr<const MediaChunk> chunk) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Take(const SessionEnd& end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WritePart() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What the client said after its first message; then the next read.
  void HandleMessage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandleHalfClose() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandleStart() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Pool thread: tokenising a prompt computes.
  void HandleControl(const std::shared_ptr<Session>& session, uint64_t attachment)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void FinishCall(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ServiceContext& context_;
  grpc::CallbackServerContext& call_;  // until OnDone
  const Caller caller_;
  const int64_t start_nanos_;
  std::shared_ptr<SessionStream> self_;  // until OnDone
  std::atomic<bool> wake_scheduled_{false};

  Mutex mutex_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kWaiting;
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;  // the first message came
  absl::Status end_ ABSL_GUARDED_BY(mutex_);    // once finished
  bool write_in_flight_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_paused_ ABSL_GUARDED_BY(mutex_) = false;  // too many receipts wait for the reader
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;       // Ended is queued; finish after it
  // A control is on its way into the session, which is not polled meanwhile: the receipt that it
  // holds must not overtake the one that it was accepted.
  bool submitting_ ABSL_GUARDED_BY(mutex_) = false;
  // While encoding_ is set the pool task alone touches media_.
  bool encoding_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Session> session_ ABSL_GUARDED_BY(mutex_);  // while live
  std::string session_id_ ABSL_GUARDED_BY(mutex_);
  uint64_t attachment_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<MediaWriter> media_;
  std::deque<v1::StreamResponse> queued_ ABSL_GUARDED_BY(mutex_);  // go before the next part
  int64_t last_chunk_nanos_ ABSL_GUARDED_BY(mutex_) = 0;           // 0 before the first
  bool opened_session_ ABSL_GUARDED_BY(mutex_) = false;            // it made the session it reads
  uint64_t chunk_bytes_ ABSL_GUARDED_BY(mutex_) = 0;               // of the chunk being written
  v1::StreamRequest request_;                  // gRPC's between StartRead and OnReadDone
  v1::StreamResponse message_;                 // gRPC's between StartWrite and OnWriteDone
  bool done_ ABSL_GUARDED_BY(mutex_) = false;  // OnDone was called
  grpc::Alarm first_message_;
  grpc::Alarm last_write_;
};

}  // namespace longtake
