// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_table.h"

#include <utility>

namespace longtake {

void KvTable::Open(uint64_t session, std::unique_ptr<KvShare> share) {
  LT_CHECK(!IsOpen(session));
  sessions_[session].share = std::move(share);
}

void KvTable::Close(uint64_t session) { sessions_.erase(session); }

bool KvTable::InFile(uint64_t session) const { return sessions_.at(session).share->in_file(); }

std::vector<std::pair<size_t, int64_t>> KvTable::Held(uint64_t session) const {
  std::vector<std::pair<size_t, int64_t>> held;
  for (const auto& [name, entry] : sessions_.at(session).frames) {
    if (entry.held) held.push_back(name);
  }
  return held;
}

const KvFrame* KvTable::Find(const KvOwner& owner, int64_t frame) const {
  const auto& frames = sessions_.at(owner.session).frames;
  const auto found = frames.find({owner.branch, frame});
  return found == frames.end() || !found->second.held ? nullptr : &found->second.frame;
}

uint64_t KvTable::Serial(const KvOwner& owner, int64_t frame) const {
  return sessions_.at(owner.session).frames.at({owner.branch, frame}).serial;
}

KvFrame* KvTable::ToWrite(const KvOwner& owner, int64_t frame) {
  Session& session = sessions_.at(owner.session);
  Entry& entry = session.frames[{owner.branch, frame}];
  if (entry.held) return nullptr;
  if (entry.frame.empty()) entry.frame = session.share->NewFrame();
  return &entry.frame;
}

void KvTable::Hold(const KvOwner& owner, const std::set<int64_t>& frames) {
  auto& all = sessions_.at(owner.session).frames;
  std::erase_if(all, [&](const auto& entry) {
    const auto& [branch, frame] = entry.first;
    return branch == owner.branch && !frames.contains(frame);
  });
  for (const int64_t frame : frames) {
    const auto found = all.find({owner.branch, frame});
    LT_CHECK(found != all.end());
    if (!std::exchange(found->second.held, true)) found->second.serial = ++serials_;
  }
}

}  // namespace longtake
