// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What happened when, for people: spans on named tracks, written as the JSON that Perfetto and
// chrome://tracing open. Tracks are lanes such as a slot that is read into or a thread.
//
// Any thread. A span costs a lock and a line of text, so spans are for what takes milliseconds. A
// thread of its own writes, so that a disk that is full or slow keeps nobody waiting.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/mutex.h"
#include "base/status_macros.h"

namespace longtake {

class Trace {
 public:
  static constexpr uint64_t kSpansMax = 2'000'000;       // some 250 MB; what follows is left out
  static constexpr size_t kUnwrittenBytesMax = 4 << 20;  // what comes while so much waits is lost

  // Told why the trace is not whole: once when a write fails, which ends the trace, once when spans
  // are left out for either limit. From the writing thread or from one that calls Span or the
  // destructor, never under a lock.
  using Tell = std::function<void(const absl::Status& why)>;

  // An old file of that name is emptied. Errors as FileSystem::Create, after "trace: ".
  static absl::StatusOr<std::unique_ptr<Trace>> Create(FileSystem& files, const std::string& path,
                                                       Tell tell);
  // Writes what waits.
  ~Trace();

  // Times as Clock::MonotonicNanos. detail is shown with the span when it is not empty.
  void Span(const std::string& track, const std::string& name, int64_t start_nanos,
            int64_t end_nanos, const std::string& detail = "") ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Trace(std::unique_ptr<File> file, Tell tell);
  int TrackNumber(const std::string& track) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsFull() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddSpan(const std::string& track, const std::string& name, int64_t start_nanos,
               int64_t end_nanos, const std::string& detail) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteAll() ABSL_LOCKS_EXCLUDED(mutex_);
  // What waits, once there is something. Empty: the end.
  std::string TakeUnwritten() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<File> file_;
  const Tell tell_;
  Mutex mutex_;
  CondVar changed_;
  std::string unwritten_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> tracks_ ABSL_GUARDED_BY(mutex_);
  uint64_t spans_ ABSL_GUARDED_BY(mutex_) = 0;
  bool full_told_ ABSL_GUARDED_BY(mutex_) = false;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread writer_;
};

// A span from here to the end of the block; nothing without a trace.
class TraceSpan {
 public:
  TraceSpan(Trace* trace, Clock& clock, const char* track, std::string name)
      : trace_(trace), clock_(clock), track_(track) {
    if (trace_ == nullptr) return;
    name_ = std::move(name);
    start_nanos_ = clock_.MonotonicNanos();
  }
  ~TraceSpan() {
    if (trace_ != nullptr) trace_->Span(track_, name_, start_nanos_, clock_.MonotonicNanos());
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;

 private:
  Trace* const trace_;
  Clock& clock_;
  const char* const track_;
  std::string name_;
  int64_t start_nanos_ = 0;
};

}  // namespace longtake
