// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The tables of all stages as one (engine/kv/kv_table.h): they hold the same frames under the same
// names, each the K/V of its stage's layers.
//
// One thread. Pools and files of the shares must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "engine/kv/kv_shares.h"
#include "engine/kv/kv_table.h"

namespace longtake {

class KvTables {
 public:
  explicit KvTables(size_t stages) : stages_(stages) {}

  size_t stage_count() const { return stages_.size(); }
  KvTable& stage(size_t number) { return stages_[number]; }
  const KvTable& stage(size_t number) const { return stages_[number]; }

  // As KvTable's, on every stage.
  void Open(uint64_t session, KvShares shares);
  void Close(uint64_t session);
  void Hold(const KvOwner& owner, const std::set<int64_t>& frames);
  void Adopt(const KvOwner& owner, int64_t frame, KvFrames made);
  void EndReads(uint64_t session);
  void DropRead(uint64_t session);

  // The same on all of them.
  bool InFile(uint64_t session) const { return stages_.front().InFile(session); }
  std::vector<std::pair<size_t, int64_t>> Held(uint64_t session) const {
    return stages_.front().Held(session);
  }
  uint64_t Serial(const KvOwner& owner, int64_t frame) const {
    return stages_.front().Serial(owner, frame);
  }

  // The image of a frame that is held, of all layers; as KvTable::Pin.
  std::unique_ptr<KvSource> Pin(const KvOwner& owner, int64_t frame);

 private:
  std::deque<KvTable> stages_;  // at least one; they stay where they are
};

}  // namespace longtake
