// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Whether the model can be read and computed, judged by how sweeps went: a server whose pack is
// damaged, whose disk is gone or whose device was lost fails every session, so it should get no new
// ones. Any thread.
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

  // As SweepObserver (engine/serve/engine_stats.h), and of what VideoModel::OnDeviceLoss tells.
  // Other errors say nothing about the model's files. A stack is well again after a sweep that was;
  // a device that was lost stays so.
  void Report(std::string_view stack, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  bool good() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Failures {
    int corrupt = 0;
    int unavailable = 0;
  };

  mutable Mutex mutex_;
  bool device_lost_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Failures> stacks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace longtake
