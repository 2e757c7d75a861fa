// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where one thread of a test holds others.
#pragma once

#include <chrono>

#include "base/mutex.h"

namespace longtake {

class Gate {
 public:
  // Of the thread that is held; how many came is known before.
  void Pass() {
    MutexLock lock(mutex_);
    ++came_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mutex_);
  }
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void AwaitArrivals(int count) {
    MutexLock lock(mutex_);
    while (came_ < count) changed_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int came_ ABSL_GUARDED_BY(mutex_) = 0;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace longtake
