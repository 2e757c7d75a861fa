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
#include "engine/kv/kv_pieces.h"

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
  // A frame that was made elsewhere in the session's share, held from now on.
  void Adopt(const KvOwner& owner, int64_t frame, KvFrame made);
  // To read a frame that is held, on any one thread; whoever was reading it reads no more. It stays
  // as it is until the reader lets go of it: one that the session no longer holds takes room beside
  // its share. Where there is none, and when the session is closed, it can be read no more.
  std::unique_ptr<KvSource> Pin(const KvOwner& owner, int64_t frame);
  // Whoever reads a frame of this session reads no more.
  void EndReads(uint64_t session);
  // Gives back the room of those that are no longer held and were read; Hold does, too.
  void DropRead(uint64_t session) { DropRead(sessions_.at(session)); }

 private:
  struct Entry {
    KvFrame frame;
    bool held = false;  // else being written
    uint64_t serial = 0;
    std::shared_ptr<KvHold> hold = {};  // of who reads it elsewhere, or null
    bool pinned() const { return hold != nullptr && !hold->ended(); }
    void Unpin() const {
      if (hold != nullptr) hold->End();
    }
  };
  using Frames = std::map<std::pair<size_t, int64_t>, Entry>;  // by branch and latent frame
  struct Session {
    std::unique_ptr<KvShare> share;  // outlives its frames
    Frames frames;
    // No longer held, but still read: each where it was, in room that the share has grown by.
    std::vector<Frames::node_type> read_on;
    ~Session();
  };
  // Takes it out of the session's frames.
  static Frames::iterator Drop(Session& session, Frames::iterator frame);
  static void DropRead(Session& session);

  std::map<uint64_t, Session> sessions_;
  uint64_t serials_ = 0;
};

}  // namespace longtake
