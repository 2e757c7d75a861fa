// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What calls have computed before they have a session: requests that are checked, prompts that are
// tokenised, encoders that are opened. One at a time and each behind what the workers were asked
// for before, so that streams which have a session go on, however many want one. What waits is
// bounded in calls and in the bytes of their requests.
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
  };
  CallQueue(WorkerPool& workers, const Limits& limits) : workers_(workers), limits_(limits) {}

  // False when too much waits; then work is not done. What work holds has so many bytes.
  bool Run(uint64_t bytes, std::function<void()> work) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
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
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace longtake
