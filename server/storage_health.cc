// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/storage_health.h"

#include <algorithm>
#include <string>

#include "server/errors.h"

namespace longtake {

void StorageHealth::Report(SweepStack stack, const absl::Status& status) {
  MutexLock lock(mutex_);
  Failures& failures = stacks_.at(static_cast<size_t>(stack));
  if (status.ok()) {
    failures = {};
    return;
  }
  const std::string reason = ReasonName(status);
  if (reason == "PACK_CORRUPT") ++failures.corrupt;
  if (reason == "STORAGE_UNAVAILABLE") ++failures.unavailable;
}

bool StorageHealth::good() const {
  MutexLock lock(mutex_);
  return std::none_of(stacks_.begin(), stacks_.end(), [](const Failures& failures) {
    return failures.corrupt >= kCorruptMax || failures.unavailable >= kUnavailableMax;
  });
}

}  // namespace longtake
