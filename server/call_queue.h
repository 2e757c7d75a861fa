// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What calls have done before they have a session. What waits is bounded in calls and in the bytes
// of their requests. There are two of them:
//
// What they have computed: requests that are checked, prompts that are tokenised, encoders that are
// opened. One at a time and each behind what the workers were asked for before, so that streams
// which have a session go on, however many want one.
//
// What may wait for the session store's disk, on threads of its own: a disk that does not answer
// keeps no worker, and nobody from what memory has.
//
// Any thread. The pool must outlive it, as the queue must its tasks: what still waits when the pool
// finishes is done by it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>

#include "base/mutex.h"
#include "base/worker_pool.h"

namespace longtake {

class CallQueue {
 public:
  struct Limits {
    size_t calls_max = 0;
    uint64_t bytes_max = 0;
    size_t at_once = 1;
  };
  CallQueue(WorkerPool& workers, const Limits& limits) : workers_(workers), limits_(limits) {}

  // False when too much waits; then work is not done. What work holds has so many bytes.
  bool Run(uint64_t bytes, std::function<void()> work) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Whether one more of those that wait is to be scheduled.
  bool TakeTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ScheduleNext();
  void RunNext() ABSL_LOCKS_EXCLUDED(mutex_);

  struct Call {
    uint64_t bytes = 0;
    std::function<void()> work;
  };

  WorkerPool& workers_;
  const Limits limits_;
  Mutex mutex_;
  std::deque<Call> waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t scheduled_ ABSL_GUARDED_BY(mutex_) = 0;  // with the workers; each takes one that waits
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace longtake
