// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/log_queue.h"

#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"

namespace longtake {

// Stands between spdlog's thread and the sink: sees gaps, and says when a flush came through.
class LogQueue::Sink final : public spdlog::sinks::sink {
 public:
  Sink(std::shared_ptr<spdlog::sinks::sink> inner, spdlog::details::thread_pool& pool,
       std::function<std::string(uint64_t)> gap_text)
      : inner_(std::move(inner)), pool_(pool), gap_text_(std::move(gap_text)) {}

  void log(const spdlog::details::log_msg& line) override {
    const uint64_t dropped = pool_.overrun_counter();
    if (dropped > told_) {
      const std::string gap = gap_text_(dropped - told_);
      told_ = dropped;
      inner_->log({line.logger_name, spdlog::level::warn, gap});
    }
    inner_->log(line);
  }

  void flush() override {
    inner_->flush();
    MutexLock lock(mutex_);
    ++flushes_;
    flushed_.NotifyAll();
  }

  void set_pattern(const std::string& pattern) override { inner_->set_pattern(pattern); }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    inner_->set_formatter(std::move(formatter));
  }

  uint64_t flushes() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return flushes_;
  }

  // Waits for one more flush than there were.
  bool WaitForFlush(uint64_t before, int64_t timeout_nanos) ABSL_LOCKS_EXCLUDED(mutex_) {
    SystemClock clock;
    const int64_t end_nanos = clock.MonotonicNanos() + timeout_nanos;
    MutexLock lock(mutex_);
    while (flushes_ == before) {
      const int64_t left_nanos = end_nanos - clock.MonotonicNanos();
      if (left_nanos <= 0) return false;
      flushed_.WaitFor(mutex_, std::chrono::nanoseconds(left_nanos));
    }
    return true;
  }

 private:
  const std::shared_ptr<spdlog::sinks::sink> inner_;
  spdlog::details::thread_pool& pool_;
  const std::function<std::string(uint64_t)> gap_text_;
  uint64_t told_ = 0;  // of the dropped lines; the pool's thread only
  mutable Mutex mutex_;
  CondVar flushed_;
  uint64_t flushes_ ABSL_GUARDED_BY(mutex_) = 0;
};

LogQueue::LogQueue(std::shared_ptr<spdlog::sinks::sink> sink, size_t lines_max,
                   std::function<std::string(uint64_t)> gap_text)
    : pool_(std::make_shared<spdlog::details::thread_pool>(lines_max, 1)),
      sink_(std::make_shared<Sink>(std::move(sink), *pool_, std::move(gap_text))),
      logger_(std::make_shared<spdlog::async_logger>(
          "longtaked", sink_, pool_, spdlog::async_overflow_policy::overrun_oldest)) {
  // spdlog would print its errors to stderr itself, from the thread that logs.
  logger_->set_error_handler([](const std::string&) {});
}

LogQueue::~LogQueue() = default;

bool LogQueue::Flush(int64_t timeout_nanos) {
  const uint64_t before = sink_->flushes();
  logger_->flush();
  return sink_->WaitForFlush(before, timeout_nanos);
}

}  // namespace longtake
