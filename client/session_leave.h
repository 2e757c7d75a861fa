// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How a take whose video is whole leaves its session: the server answers when the session's state
// is on disk, which may be gigabytes. Deleting takes no time, so nothing waits for it like this.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "client/connection.h"

namespace longtake {

class SessionLeave {
 public:
  // The server parks within about a minute, and then answers.
  static constexpr double kTimeoutSeconds = 90;
  // Who waits longer is told what for.
  static constexpr int64_t kPatienceNanos = 3'000'000'000;

  // name: "sessions/ID". The stub must outlive it. on_slow comes once in a call, on its thread.
  SessionLeave(v1::LongtakeService::Stub& stub, std::string name, std::function<void()> on_slow)
      : stub_(stub), name_(std::move(name)), on_slow_(std::move(on_slow)) {}

  // One at a time. CANCELLED, DEADLINE_EXCEEDED: the server goes on without anybody who waits.
  absl::Status Park() ABSL_LOCKS_EXCLUDED(mutex_);
  // Any thread: whoever waits need not any more. Whether anybody did.
  bool Cancel() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Answer(grpc::Status status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether the call was answered by then.
  bool WaitUntil(int64_t end_nanos) ABSL_LOCKS_EXCLUDED(mutex_);

  v1::LongtakeService::Stub& stub_;
  const std::string name_;
  const std::function<void()> on_slow_;
  SystemClock clock_;
  Mutex mutex_;
  CondVar changed_;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;  // of the call under way
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);                     // of the last one
};

}  // namespace longtake
