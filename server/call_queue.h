// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What calls have computed before they have a session: requests that are checked, prompts that are
// tokenised, encoders that are opened. One at a time and each behind what the workers were asked
// for before, so that streams which have a session go on, however many want one; and so many wait
// at most.
//
// Any thread. The pool must outlive it, as the queue must its tasks: what still waits when the pool
// finishes is done by it.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>

#include "base/mutex.h"
#include "base/worker_pool.h"

namespace longtake {

class CallQueue {
 public:
  CallQueue(WorkerPool& workers, size_t waiting_max)
      : workers_(workers), waiting_max_(waiting_max) {}

  // False when too many wait; then work is not done.
  bool Run(std::function<void()> work) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void ScheduleNext();
  void RunNext() ABSL_LOCKS_EXCLUDED(mutex_);

  WorkerPool& workers_;
  const size_t waiting_max_;
  Mutex mutex_;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace longtake
