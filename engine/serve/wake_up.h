// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Wakes the thread that plans: there is an event, room in an outbox, a decoded chunk, or a reader
// is gone. The engine owns it; sessions, the decode lane and the stage share it, so that none of
// them needs to know another. Any thread.
#pragma once

#include <chrono>

#include "base/mutex.h"

namespace longtake {

class WakeUp {
 public:
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(mutex_);
      woken_ = true;
    }
    condition_.NotifyOne();
  }

  // Returns at once when Wake was called since the last return, else at the next call or after the
  // period.
  void WaitFor(std::chrono::milliseconds period) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    if (!woken_) condition_.WaitFor(mutex_, period);
    woken_ = false;
  }

 private:
  Mutex mutex_;
  CondVar condition_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace longtake
