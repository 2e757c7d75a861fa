// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/call_queue.h"

#include <utility>

namespace longtake {

bool CallQueue::Run(uint64_t bytes, std::function<void()> work) {
  {
    MutexLock lock(mutex_);
    if (waiting_.size() >= limits_.calls_max) return false;
    if (waiting_bytes_ + bytes > limits_.bytes_max) return false;
    waiting_.push_back({.bytes = bytes, .work = std::move(work)});
    waiting_bytes_ += bytes;
    if (!TakeTurn()) return true;
  }
  ScheduleNext();
  return true;
}

bool CallQueue::TakeTurn() {
  if (running_ + scheduled_ == limits_.at_once || scheduled_ == waiting_.size()) return false;
  ++scheduled_;
  return true;
}

void CallQueue::ScheduleNext() {
  workers_.Schedule([this] { RunNext(); });
}

void CallQueue::RunNext() {
  std::function<void()> work;
  {
    MutexLock lock(mutex_);
    --scheduled_;
    ++running_;
    work = std::move(waiting_.front().work);
    waiting_bytes_ -= waiting_.front().bytes;
    waiting_.pop_front();
  }
  work();
  work = nullptr;  // it may hold the last of a call
  {
    MutexLock lock(mutex_);
    --running_;
    if (!TakeTurn()) return;
  }
  ScheduleNext();
}

}  // namespace longtake
