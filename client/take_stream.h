// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One Stream call of a client. Sending never waits for the server, so the thread that a signal
// wakes can send while the take waits for a message, or for a connection.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>

#include "base/mutex.h"
#include "base/status_macros.h"
#include "client/connection.h"

namespace longtake {

class TakeStream final : private grpc::ClientBidiReactor<v1::StreamRequest, v1::StreamResponse> {
 public:
  // The stub must outlive it.
  explicit TakeStream(v1::LongtakeService::Stub& stub);
  // Cancels the call if it is not over.
  ~TakeStream() override;

  // The call begins. Once, before everything but Send.
  void Start();
  // Any thread; sent in this order, what came before Start included. What comes after the end of
  // the call is dropped.
  void Send(v1::StreamRequest request) ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns when the connection has taken everything, or the call is over: so that much data waits
  // with the caller and not in memory here.
  void Flush() ABSL_LOCKS_EXCLUDED(mutex_);
  // The next message; false when there is none any more. One thread.
  bool Read(v1::StreamResponse* response) ABSL_LOCKS_EXCLUDED(mutex_);
  // Any thread.
  void Cancel() { context_.TryCancel(); }
  // What the server answered, after Read said false or Cancel. One thread, once.
  grpc::Status Finish() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReadDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone(const grpc::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::ClientContext context_;
  bool started_ = false;
  Mutex mutex_;
  CondVar changed_;
  std::deque<v1::StreamRequest> unsent_ ABSL_GUARDED_BY(mutex_);  // the first is being written
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;                   // nothing can be sent any more
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_ok_ ABSL_GUARDED_BY(mutex_) = false;
  bool held_ ABSL_GUARDED_BY(mutex_) = true;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace longtake
