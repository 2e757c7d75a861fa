// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A client's Stream calls to one session, one after the other, as if they were one. When a call
// breaks because the server or the way to it is gone or a disk of the server fails, and the session
// is one that survives that (Session.durable), the next call attaches behind the last whole chunk
// and says again what got no answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "client/chunk_chain.h"
#include "client/connection.h"
#include "client/take_stream.h"

namespace longtake {

class LastingStream {
 public:
  struct Options {
    int64_t reconnect_nanos =
        0;  // for how long after a break a server is looked for; 0: not at all
    std::function<void(const std::string& sentence)> say;
  };

  // first opens a session or attaches to one. The stub must outlive it.
  LastingStream(v1::LongtakeService::Stub& stub, v1::StreamRequest first, Options options);
  // Cancels the call under way.
  ~LastingStream() = default;

  // The call begins. Once, before everything but Send and Leave.
  void Start() ABSL_LOCKS_EXCLUDED(mutex_);
  // Any thread; sent in this order. A control that has an id is repeated by later calls until it is
  // known to hold, or is refused; everything else is lost with the call that broke.
  void Send(const v1::StreamRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  // As TakeStream::Flush. The thread of Next.
  void Flush();
  // The user wants to go. Asks for the end with this control; while there is no call that could
  // take it, and from now on when a call breaks, Next returns at once. Any thread.
  void Leave(const v1::StreamRequest& end) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the call under way, if any. The thread of Next, which is not called any more.
  void Cancel();
  // The next message: Opened of each call, receipts, whole chunks, Ended; nothing when the server
  // says no more. Errors of the server and the way to it, and as ChunkChain. One thread.
  absl::StatusOr<std::optional<v1::StreamResponse>> Next() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Calls while there is none: since a break, until a chunk or the end came.
  struct Break {
    absl::Status status;  // the first, of which the user hears
    int64_t end_nanos = 0;
    int64_t wait_nanos = 0;  // before the next call
  };

  void StartCall(const v1::StreamRequest& first) ABSL_LOCKS_EXCLUDED(mutex_);
  // Another call after one that ended with this; otherwise why not.
  absl::Status Resume(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // DATA_LOSS when the server has less on disk than it said, and as ChunkChain::CheckSession.
  absl::Status CheckRefusal(const grpc::Status& status) const;
  absl::Status GiveUp() const;
  bool IsLeaving() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether it is time for the next call; false: time is up or the user wants to go.
  bool WaitForCall() ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing: it was a part of a chunk.
  absl::StatusOr<std::optional<v1::StreamResponse>> Take(v1::StreamResponse response)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status OnOpened(const v1::Opened& opened) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReceipt(const v1::Receipt& receipt) ABSL_LOCKS_EXCLUDED(mutex_);

  v1::LongtakeService::Stub& stub_;
  const v1::StreamRequest first_;
  const Options options_;
  SystemClock clock_;
  // Of the thread of Next.
  ChunkChain chunks_;
  std::optional<Break> break_;
  std::string session_;  // "sessions/ID"; empty: no call was opened yet
  bool durable_ = false;
  bool ended_ = false;

  Mutex mutex_;
  CondVar changed_;
  std::unique_ptr<TakeStream> call_ ABSL_GUARDED_BY(mutex_);  // the thread of Next replaces it
  TakeStream* reading_ = nullptr;                             // the same, for that thread
  std::vector<v1::StreamRequest> unsettled_ ABSL_GUARDED_BY(mutex_);  // controls to be repeated
  bool away_ ABSL_GUARDED_BY(mutex_) = false;                         // no call is open
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace longtake
