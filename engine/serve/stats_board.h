// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The one copy of the engine's figures: the stage's parts write it, metrics read it. Any thread.
#pragma once

#include "base/mutex.h"
#include "engine/serve/engine_stats.h"

namespace longtake {

class StatsBoard {
 public:
  EngineStats Read() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return stats_;
  }

  // change(stats) runs under the lock.
  template <typename Change>
  void Update(const Change& change) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    change(stats_);
  }

 private:
  mutable Mutex mutex_;
  EngineStats stats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace longtake
