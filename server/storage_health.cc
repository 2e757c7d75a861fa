// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/storage_health.h"

#include <algorithm>

#include "base/error_reason.h"

namespace longtake {

void StorageHealth::Report(std::string_view stack, const absl::Status& status) {
  MutexLock lock(mutex_);
  Failures& failures = stacks_[std::string(stack)];
  if (status.ok()) {
    failures = {};
    return;
  }
  const Reason reason = ReasonFor(status);
  if (reason == Reason::kPackCorrupt) ++failures.corrupt;
  if (reason == Reason::kStorageUnavailable) ++failures.unavailable;
  if (reason == Reason::kDeviceLost) device_lost_ = true;
}

bool StorageHealth::good() const {
  MutexLock lock(mutex_);
  if (device_lost_) return false;
  return std::none_of(stacks_.begin(), stacks_.end(), [](const auto& stack) {
    const Failures& failures = stack.second;
    return failures.corrupt >= kCorruptMax || failures.unavailable >= kUnavailableMax;
  });
}

}  // namespace longtake
