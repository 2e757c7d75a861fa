// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Which session holds which frames: the K/V of all sessions on one stage. A rollout names frames by
// number and owns none; each stage has the keys and values of its own layers under these names.
// After a sweep or a new prompt, Hold says which frames a rollout holds from then on; the others
// are given back.
//
// One thread. Pool and file of the shares must outlive it.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "engine/kv/kv_memory.h"

namespace longtake {

// Whose frames: one guidance branch of a session, which has a number of its own.
struct KvOwner {
  uint64_t session = 0;
  size_t branch = 0;
  friend auto operator<=>(const KvOwner&, const KvOwner&) = default;
};

class KvTable {
 public:
  // A session comes with the room for its frames, and goes with all of them.
  void Open(uint64_t session, std::unique_ptr<KvShare> share);
  void Close(uint64_t session);
  bool IsOpen(uint64_t session) const { return sessions_.contains(session); }
  // Of a session that is open.
  bool InFile(uint64_t session) const;

  // The frames that a session holds: branch and latent frame.
  std::vector<std::pair<size_t, int64_t>> Held(uint64_t session) const;
  // A frame that is held, or null. Valid until it is no longer held.
  const KvFrame* Find(const KvOwner& owner, int64_t frame) const;
  // Which of all frames that were ever held here this one is, which is held: another once its K/V
  // was made again.
  uint64_t Serial(const KvOwner& owner, int64_t frame) const;
  // The frame that the next sweep writes: a new one, or what a sweep that was dropped left of it.
  // Null when such a frame is held already. There must be room in the session's share.
  KvFrame* ToWrite(const KvOwner& owner, int64_t frame);
  // From now on exactly these frames are held. Each was held or has been written.
  void Hold(const KvOwner& owner, const std::set<int64_t>& frames);

 private:
  struct Entry {
    KvFrame frame;
    bool held = false;  // else being written
    uint64_t serial = 0;
  };
  struct Session {
    std::unique_ptr<KvShare> share;                      // outlives its frames
    std::map<std::pair<size_t, int64_t>, Entry> frames;  // by branch and latent frame
  };

  std::map<uint64_t, Session> sessions_;
  uint64_t serials_ = 0;
};

}  // namespace longtake
