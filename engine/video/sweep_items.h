// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What takes part in a sweep on one stage: items of rollouts, each frame that they name found in
// the stage's table. A value for one sweep; one thread. Table and rollouts outlive it.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "engine/kv/kv_table.h"
#include "engine/model/wan/transformer.h"
#include "engine/video/rollout.h"

namespace longtake {

class SweepItems {
 public:
  explicit SweepItems(KvTable& table) : table_(table) {}

  // Adds a session's items. INVALID_ARGUMENT names item and frame when its context is not held, or
  // is held already when it is to be written: our own mistake, which no client can cause.
  absl::Status Add(uint64_t session, Rollout& rollout);
  // In the order in which they were added.
  std::span<const VideoItem> items() const { return items_; }

 private:
  absl::Status Add(uint64_t session, const RolloutItem& item);

  KvTable& table_;
  std::vector<VideoItem> items_;
  // What the items point to; a deque, so that it stays where it is.
  std::deque<std::vector<ContextFrame>> context_;
  std::deque<std::vector<KvFrame*>> keep_;
};

}  // namespace longtake
