// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/worker_pool.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "base/status_macros.h"

namespace longtake {

WorkerPool::WorkerPool(int thread_count, const std::optional<CoreSet>& cores) {
  LT_CHECK(thread_count > 0);
  // When one cannot be started, no destructor would join those that run.
  absl::Cleanup finish = [this] { Finish(); };
  for (int worker = 0; worker < thread_count; ++worker) {
    threads_.emplace_back([this, worker, cores] {
      if (cores.has_value()) cores->StayHere();
      Work(worker);
    });
  }
  std::move(finish).Cancel();
}

void WorkerPool::Finish() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WorkerPool::ParallelFor(int64_t count,
                             const std::function<void(int64_t index, int worker)>& tile) {
  if (count <= 0) return;
  Loop loop;
  loop.tile = &tile;
  loop.count = count;
  MutexLock lock(mutex_);
  loops_.push_back(&loop);
  wake_.NotifyAll();
  while (loop.done < loop.count) loop.finished.Wait(mutex_);
}

void WorkerPool::Schedule(std::function<void()> task) {
  {
    MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.NotifyOne();
}

void WorkerPool::Work(int worker) {
  MutexLock lock(mutex_);
  for (;;) {
    if (RunOne(worker)) continue;
    if (stopping_) return;
    wake_.Wait(mutex_);
  }
}

// Tasks and loops alternate, and loops take turns tile by tile, so that neither a long sweep nor a
// burst of encoding starves the other.
bool WorkerPool::RunOne(int worker) {
  if (!tasks_.empty() && (task_turn_ || loops_.empty())) {
    task_turn_ = false;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    mutex_.Unlock();
    task();
    task = nullptr;
    mutex_.Lock();
    return true;
  }
  task_turn_ = true;
  if (loops_.empty()) return false;
  Loop* loop = loops_.front();
  loops_.pop_front();
  const int64_t index = loop->next++;
  if (loop->next < loop->count) loops_.push_back(loop);
  mutex_.Unlock();
  (*loop->tile)(index, worker);
  mutex_.Lock();
  if (++loop->done == loop->count) loop->finished.NotifyOne();
  return true;
}

}  // namespace longtake
