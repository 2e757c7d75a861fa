// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_tables.h"

namespace longtake {

void KvTables::Open(uint64_t session, KvShares shares) {
  LT_CHECK(shares.stage_count() == stages_.size());
  for (size_t i = 0; i < stages_.size(); ++i) stages_[i].Open(session, shares.Take(i));
}

void KvTables::Close(uint64_t session) {
  for (KvTable& stage : stages_) stage.Close(session);
}

void KvTables::Hold(const KvOwner& owner, const std::set<int64_t>& frames) {
  for (KvTable& stage : stages_) stage.Hold(owner, frames);
}

void KvTables::Adopt(const KvOwner& owner, int64_t frame, KvFrames made) {
  LT_CHECK(made.size() == stages_.size());
  for (size_t i = 0; i < stages_.size(); ++i) stages_[i].Adopt(owner, frame, std::move(made[i]));
}

void KvTables::EndReads(uint64_t session) {
  for (KvTable& stage : stages_) stage.EndReads(session);
}

void KvTables::DropRead(uint64_t session) {
  for (KvTable& stage : stages_) stage.DropRead(session);
}

std::unique_ptr<KvSource> KvTables::Pin(const KvOwner& owner, int64_t frame) {
  if (stages_.size() == 1) return stages_.front().Pin(owner, frame);
  std::vector<std::unique_ptr<KvSource>> parts;
  for (KvTable& stage : stages_) parts.push_back(stage.Pin(owner, frame));
  return std::make_unique<KvChain>(std::move(parts));
}

}  // namespace longtake
