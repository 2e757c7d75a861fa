// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_table.h"

#include <iterator>
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
  Session& session = sessions_.at(owner.session);
  DropRead(session);
  auto& all = session.frames;
  for (auto entry = all.begin(); entry != all.end();) {
    const auto& [branch, frame] = entry->first;
    const bool goes = branch == owner.branch && !frames.contains(frame);
    entry = goes ? Drop(session, entry) : std::next(entry);
  }
  for (const int64_t frame : frames) {
    const auto found = all.find({owner.branch, frame});
    LT_CHECK(found != all.end());
    if (!std::exchange(found->second.held, true)) found->second.serial = ++serials_;
  }
}

KvTable::Frames::iterator KvTable::Drop(Session& session, Frames::iterator frame) {
  const auto next = std::next(frame);
  if (frame->second.pinned() && session.share->Grow()) {
    session.read_on.push_back(session.frames.extract(frame));
    return next;
  }
  frame->second.Unpin();
  session.frames.erase(frame);
  return next;
}

void KvTable::EndReads(uint64_t session) {
  Session& of = sessions_.at(session);
  for (const auto& [name, entry] : of.frames) entry.Unpin();
  for (const Frames::node_type& frame : of.read_on) frame.mapped().Unpin();
  DropRead(of);
}

void KvTable::DropRead(Session& session) {
  auto& read_on = session.read_on;
  for (auto frame = read_on.begin(); frame != read_on.end();) {
    if (frame->mapped().pinned()) {
      ++frame;
    } else {
      frame = read_on.erase(frame);  // before its room goes
      session.share->Shrink();
    }
  }
}

KvTable::Session::~Session() {
  for (const auto& [name, entry] : frames) entry.Unpin();
  for (const Frames::node_type& frame : read_on) frame.mapped().Unpin();
}

void KvTable::Adopt(const KvOwner& owner, int64_t frame, KvFrame made) {
  Entry& entry = sessions_.at(owner.session).frames[{owner.branch, frame}];
  LT_CHECK(entry.frame.empty());
  entry = {.frame = std::move(made), .held = true, .serial = ++serials_};
}

std::unique_ptr<KvSource> KvTable::Pin(const KvOwner& owner, int64_t frame) {
  Session& session = sessions_.at(owner.session);
  Entry& entry = session.frames.at({owner.branch, frame});
  LT_CHECK(entry.held);
  entry.Unpin();
  entry.hold = std::make_shared<KvHold>(entry.frame);
  return std::make_unique<KvPin>(entry.frame, entry.hold,
                                 session.share->in_file() ? session.share->file() : nullptr);
}

}  // namespace longtake
