// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/io/pread_io.h"

#include <chrono>
#include <deque>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace longtake {
namespace {

class PreadIo final : public BlockIo {
 public:
  PreadIo(File& file, size_t thread_count, size_t capacity)
      : BlockIo(file.path(), capacity), file_(file) {
    // When one cannot be started, no destructor would join those that run.
    absl::Cleanup end = [this] { EndThreads(); };
    for (size_t i = 0; i < thread_count; ++i) threads_.emplace_back([this] { Work(); });
    std::move(end).Cancel();
  }

  ~PreadIo() override {
    Drain();
    EndThreads();
  }

 private:
  struct Attempt {
    size_t number = 0;
    BlockRequest rest;
  };

  void EndThreads() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
    }
    work_there_.NotifyAll();
    for (std::thread& thread : threads_) thread.join();
  }

  void StartRaw(size_t number, const BlockRequest& rest) override ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(mutex_);
      waiting_.push_back({.number = number, .rest = rest});
    }
    work_there_.NotifyOne();
  }

  std::optional<RawCompletion> NextRaw(int64_t wait_nanos) override ABSL_LOCKS_EXCLUDED(mutex_) {
    const int64_t end_nanos = clock_.MonotonicNanos() + wait_nanos;
    MutexLock lock(mutex_);
    while (wait_nanos > 0 && done_.empty()) {
      const int64_t left_nanos = end_nanos - clock_.MonotonicNanos();
      if (left_nanos <= 0) break;
      done_there_.WaitFor(mutex_, std::chrono::nanoseconds(left_nanos));
    }
    if (done_.empty()) return std::nullopt;
    const RawCompletion raw = done_.front();
    done_.pop_front();
    return raw;
  }

  void Work() ABSL_LOCKS_EXCLUDED(mutex_) {
    for (;;) {
      Attempt attempt;
      {
        MutexLock lock(mutex_);
        while (waiting_.empty() && !stopping_) work_there_.Wait(mutex_);
        if (waiting_.empty()) return;
        attempt = waiting_.front();
        waiting_.pop_front();
      }
      const BlockRequest& rest = attempt.rest;
      const int64_t result = rest.kind == BlockRequest::Kind::kWrite
                                 ? file_.WriteSome(rest.offset, rest.memory)
                                 : file_.ReadSome(rest.offset, rest.memory);
      {
        MutexLock lock(mutex_);
        done_.push_back({.number = attempt.number, .result = result});
      }
      done_there_.NotifyOne();
    }
  }

  File& file_;
  SystemClock clock_;
  Mutex mutex_;
  CondVar work_there_;
  CondVar done_there_;
  std::deque<Attempt> waiting_ ABSL_GUARDED_BY(mutex_);
  std::deque<RawCompletion> done_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<BlockIo> OpenPreadIo(File& file, size_t thread_count, size_t capacity) {
  LT_CHECK(thread_count > 0);
  return std::make_unique<PreadIo>(file, thread_count, capacity);
}

}  // namespace longtake
