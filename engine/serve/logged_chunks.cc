// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/logged_chunks.h"

#include <algorithm>
#include <utility>

namespace longtake {

LoggedChunks::LoggedChunks(SessionStore& store, std::vector<StoredLatents> chunks,
                           std::function<void()> wake)
    : store_(store), chunks_(std::move(chunks)), wake_(std::move(wake)) {
  ReadAhead();
}

absl::StatusOr<std::optional<Latents>> LoggedChunks::Take() {
  std::optional<absl::StatusOr<Latents>> next;
  {
    MutexLock lock(arrived_->mutex);
    if (arrived_->latents.empty()) return std::nullopt;
    next = std::move(arrived_->latents.front());
    arrived_->latents.pop_front();
  }
  ++next_;
  ReadAhead();
  if (!next->ok()) return next->status();
  return **std::move(next);
}

void LoggedChunks::ReadAhead() {
  const int64_t end = std::min(next_ + kAheadMax, std::ssize(chunks_));
  for (; asked_ < end; ++asked_) {
    store_.ReadLatents(chunks_[static_cast<size_t>(asked_)],
                       [arrived = arrived_, wake = wake_](absl::StatusOr<Latents> latents) {
                         {
                           MutexLock lock(arrived->mutex);
                           arrived->latents.push_back(std::move(latents));
                         }
                         wake();
                       });
  }
}

}  // namespace longtake
