// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// SIGTERM and SIGINT, heard by a thread of its own, whatever all others are stuck in: taking
// memory, a disk, a client. The program ends
//
//   before it serves   at the first of them, at once
//   while it serves    in its own time after the first, for which Wait returns; a second asks it to
//                      hurry; at the third, or when its time is over (EndWithin), at once
//
// with status 0. One object a program, made before any other thread, so that all of them leave the
// signals to this one.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mutex.h"
#include "base/status_macros.h"

namespace longtake {

class EndSignals {
 public:
  // at_once is called before the program ends at once, on the thread of the signals, with the
  // reason for the log. RESOURCE_EXHAUSTED without descriptors.
  static absl::StatusOr<std::unique_ptr<EndSignals>> Listen(
      Clock& clock, std::function<void(const char* why)> at_once);
  ~EndSignals();

  // From now on a signal is for Wait.
  void BeginServing() ABSL_LOCKS_EXCLUDED(mutex_);
  void Wait() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ending may take so long from now.
  void EndWithin(int64_t nanos) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a second one came.
  bool hurried() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  EndSignals(Clock& clock, std::function<void(const char* why)> at_once);
  void Run();
  void Hear() ABSL_LOCKS_EXCLUDED(mutex_);
  [[noreturn]] void EndAtOnce(const char* why);
  int MillisLeft() const ABSL_LOCKS_EXCLUDED(mutex_);

  Clock& clock_;
  const std::function<void(const char* why)> at_once_;
  Fd signals_;  // a signalfd
  Fd changed_;  // an eventfd: the deadline is another, or the object goes
  mutable Mutex mutex_;
  CondVar heard_;
  bool serving_ ABSL_GUARDED_BY(mutex_) = false;
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;  // the object goes
  int count_ ABSL_GUARDED_BY(mutex_) = 0;         // signals heard while serving
  int64_t end_nanos_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<int64_t>::max();
  std::thread thread_;
};

}  // namespace longtake
