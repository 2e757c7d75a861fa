// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The latents of a resumed session's chunks, as they come back from the store: a few ahead of where
// its rollout is, so that hours of them do not lie in memory at once.
//
// Take on the stage's thread, which never waits for the disk.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/status_macros.h"
#include "engine/store/session_store.h"
#include "engine/take/latents.h"

namespace longtake {

class LoggedChunks {
 public:
  static constexpr int64_t kAheadMax = 8;

  // chunks are some that the session settled, in order. wake is called on any thread whenever
  // latents came.
  LoggedChunks(SessionStore& store, std::vector<StoredLatents> chunks, std::function<void()> wake);

  // The next chunk's latents, or nothing while they are on their way. DATA_LOSS when they are not
  // what was written.
  absl::StatusOr<std::optional<Latents>> Take();

 private:
  // What was read, shared with the reads under way, which may outlive this object.
  struct Arrived {
    Mutex mutex;
    std::deque<absl::StatusOr<Latents>> latents ABSL_GUARDED_BY(mutex);  // in order
  };
  void ReadAhead();

  SessionStore& store_;
  const std::vector<StoredLatents> chunks_;
  int64_t next_ = 0;   // to be taken
  int64_t asked_ = 0;  // the first that was not asked for
  const std::function<void()> wake_;
  const std::shared_ptr<Arrived> arrived_ = std::make_shared<Arrived>();
};

}  // namespace longtake
