// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Whether the model can be read, judged by how sweeps went: a server whose pack is damaged or whose
// disk is gone fails every session, so it should get no new ones. Any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/status_macros.h"

namespace longtake {

class StorageHealth {
 public:
  // In a row, with a stack: what fails once may have been one prompt's, or a moment's.
  static constexpr int kCorruptMax = 2;
  static constexpr int kUnavailableMax = 3;

  // As SweepObserver (engine/serve/engine_stats.h). Other errors say nothing about the model's
  // files. A stack is well again after a sweep that was.
  void Report(std::string_view stack, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  bool good() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Failures {
    int corrupt = 0;
    int unavailable = 0;
  };

  mutable Mutex mutex_;
  std::map<std::string, Failures> stacks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace longtake
