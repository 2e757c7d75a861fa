// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What happened when, for people: spans on named rows, written as the JSON that Perfetto and
// chrome://tracing open. Rows are lanes such as a slot that is read into or a thread.
//
// Any thread. A span costs a lock and a line of text, so spans are for what takes milliseconds.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status_macros.h"

namespace longtake {

class Trace {
 public:
  static constexpr uint64_t kSpansMax = 2'000'000;  // some 250 MB; what follows is left out

  // UNAVAILABLE names the file.
  static absl::StatusOr<std::unique_ptr<Trace>> Create(const std::string& path);
  ~Trace();

  // Times as Clock::MonotonicNanos. detail is shown with the span when it is not empty.
  void Span(const std::string& row, const std::string& name, int64_t start_nanos, int64_t end_nanos,
            const std::string& detail = "") ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Trace() = default;
  int RowNumber(const std::string& row) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  std::FILE* file_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::map<std::string, int> rows_ ABSL_GUARDED_BY(mutex_);
  uint64_t spans_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A span from here to the end of the block; nothing without a trace.
class TraceSpan {
 public:
  TraceSpan(Trace* trace, Clock& clock, const char* row, std::string name)
      : trace_(trace), clock_(clock), row_(row) {
    if (trace_ == nullptr) return;
    name_ = std::move(name);
    start_nanos_ = clock_.MonotonicNanos();
  }
  ~TraceSpan() {
    if (trace_ != nullptr) trace_->Span(row_, name_, start_nanos_, clock_.MonotonicNanos());
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;

 private:
  Trace* const trace_;
  Clock& clock_;
  const char* const row_;
  std::string name_;
  int64_t start_nanos_ = 0;
};

}  // namespace longtake
