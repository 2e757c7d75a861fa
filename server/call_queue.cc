// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/call_queue.h"

#include <utility>

namespace longtake {

bool CallQueue::Run(std::function<void()> work) {
  {
    MutexLock lock(mutex_);
    if (waiting_.size() >= waiting_max_) return false;
    waiting_.push_back(std::move(work));
    if (std::exchange(running_, true)) return true;
  }
  ScheduleNext();
  return true;
}

void CallQueue::ScheduleNext() {
  workers_.Schedule([this] { RunNext(); });
}

void CallQueue::RunNext() {
  std::function<void()> work;
  {
    MutexLock lock(mutex_);
    work = std::move(waiting_.front());
    waiting_.pop_front();
  }
  work();
  work = nullptr;  // it may hold the last of a call
  {
    MutexLock lock(mutex_);
    running_ = !waiting_.empty();
    if (!running_) return;
  }
  ScheduleNext();
}

}  // namespace longtake
