// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A pool of compute threads: layer tiles, checksums, decode jobs and media encoding run here. There
// is one for each set of cores, so the process never computes on more threads than it was given
// (spinning teams of a second pool cost a peer a factor of six on two cores).
//
// ParallelFor blocks its caller, which does no work itself; several callers share the workers tile
// by tile in turn. A task must not call back into the pool. Any thread may call. The functions
// given must not throw.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <optional>
#include <thread>
#include <vector>

#include "base/core_set.h"
#include "base/mutex.h"

namespace longtake {

class WorkerPool {
 public:
  // Throws std::system_error when the system has no further thread (base/exhausted.h).
  explicit WorkerPool(int thread_count) : WorkerPool(thread_count, std::nullopt) {}
  // A worker for each of the cores, all of which stay on these; where the system does not let them
  // (CoreSet::CheckAllowed says so before), they run anywhere.
  explicit WorkerPool(const CoreSet& cores) : WorkerPool(cores.count(), cores) {}
  ~WorkerPool() { Finish(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int thread_count() const { return static_cast<int>(threads_.size()); }

  // Calls tile(index, worker) once for each index in [0, count), in no particular order; worker is
  // in [0, thread_count) and picks scratch memory. Returns when all calls are done.
  void ParallelFor(int64_t count, const std::function<void(int64_t index, int worker)>& tile)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs task once, some time later.
  void Schedule(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);

  // Does what was scheduled, then joins; after it nothing may be asked of the pool. Not by two
  // threads at once.
  void Finish() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Loop {
    const std::function<void(int64_t, int)>* tile = nullptr;
    int64_t count = 0;
    int64_t next = 0;
    int64_t done = 0;
    CondVar finished;
  };

  WorkerPool(int thread_count, const std::optional<CoreSet>& cores);
  void Work(int worker);
  bool RunOne(int worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  CondVar wake_;
  std::list<Loop*> loops_ ABSL_GUARDED_BY(mutex_);  // those with tiles left, served in turn
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool task_turn_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace longtake
