// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/session_leave.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/session_calls.h"

namespace longtake {

absl::Status SessionLeave::Park() {
  v1::ParkSessionRequest request;
  request.set_name(name_);
  v1::ParkSessionResponse response;
  grpc::ClientContext context;
  SetTimeout(kTimeoutSeconds, &context);
  {
    MutexLock lock(mutex_);
    context_ = &context;
  }
  stub_.async()->ParkSession(&context, &request, &response,
                             [this](grpc::Status status) { Answer(std::move(status)); });
  if (!WaitUntil(clock_.MonotonicNanos() + kPatienceNanos)) on_slow_();
  WaitUntil(INT64_MAX);
  MutexLock lock(mutex_);
  return FromGrpc(status_);
}

void SessionLeave::Answer(grpc::Status status) {
  MutexLock lock(mutex_);
  status_ = std::move(status);
  context_ = nullptr;
  changed_.NotifyAll();
}

bool SessionLeave::WaitUntil(int64_t end_nanos) {
  MutexLock lock(mutex_);
  while (context_ != nullptr) {
    const int64_t left_nanos = end_nanos - clock_.MonotonicNanos();
    if (left_nanos <= 0) return false;
    changed_.WaitFor(mutex_, std::chrono::nanoseconds(std::min(left_nanos, kPatienceNanos)));
  }
  return true;
}

bool SessionLeave::Cancel() {
  MutexLock lock(mutex_);
  if (context_ == nullptr) return false;
  context_->TryCancel();
  return true;
}

}  // namespace longtake
