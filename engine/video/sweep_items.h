// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What takes part in a sweep on one stage: items of rollouts, each frame that they name found in
// the stage's table, and its text of each prompt. A value for one sweep; one thread. Table and
// rollouts outlive it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "engine/kv/kv_tables.h"
#include "engine/model/wan/transformer.h"
#include "engine/video/rollout.h"

namespace longtake {

class SweepItems {
 public:
  // The table is that of the stage with this number.
  explicit SweepItems(KvTable& table, size_t stage = 0) : table_(table), stage_(stage) {}

  // Adds a session's items for a sweep of so many rows. INVALID_ARGUMENT names item and frame when
  // its context is neither held nor written by an item before it, or when what it writes is held
  // already: our own mistake, which no client can cause.
  absl::Status Add(uint64_t session, Rollout& rollout, int64_t rows_max);
  // The same items, which the rollout has appended for this sweep already: for a further stage.
  absl::Status Add(uint64_t session, std::span<const RolloutItem> items);
  // In the order in which they were added.
  std::span<const VideoItem> items() const { return items_; }

 private:
  absl::Status Add(const KvOwner& owner, const RolloutItem& item);
  // Held, or written by an item before; else null.
  const KvFrame* Find(const KvOwner& owner, int64_t frame) const;

  KvTable& table_;
  const size_t stage_;
  std::vector<VideoItem> items_;
  // What the items point to; a deque, so that it stays where it is.
  std::deque<std::vector<ContextFrame>> context_;
  std::deque<std::vector<KvFrame*>> targets_;
  std::map<std::pair<KvOwner, int64_t>, const KvFrame*> written_;
};

// The same items on all stages. The tables outlive it.
class StagedItems {
 public:
  explicit StagedItems(KvTables& tables);

  // As SweepItems::Add.
  absl::Status Add(uint64_t session, Rollout& rollout, int64_t rows_max);
  std::span<const SweepItems> of_stages() const { return of_stages_; }
  size_t count() const { return of_stages_.front().items().size(); }

 private:
  std::vector<SweepItems> of_stages_;
};

}  // namespace longtake
