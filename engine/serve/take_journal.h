// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the engine decides and makes is told here before a client may see it. With a store it is
// written down first; without one it counts as written at once. So whatever a client was shown
// follows again from the store, however the process ended.
//
// Any thread. The session lives until what was told of it is written.
#pragma once

#include <memory>

#include "engine/session/session.h"
#include "engine/store/session_store.h"
#include "engine/take/latents.h"

namespace longtake {

class TakeJournal {
 public:
  // The store, which may be null, must outlive it.
  explicit TakeJournal(SessionStore* store) : store_(store) {}

  // Before its chunks and receipts are written the session shows none.
  void Begin(Session& session) const;
  // An event holds from a chunk on; it has its second receipt then.
  void Applied(const std::shared_ptr<Session>& session, const EventHolds& event) const;
  // The latents that a take begins with.
  void Started(const Session& session, const Latents& latents) const;
  // A chunk is final; it may be sent then. Before its latents are decoded.
  void Settled(const std::shared_ptr<Session>& session, int64_t chunk,
               const Latents& latents) const;
  // A chunk that was written before the session was resumed.
  void SettledBefore(Session& session, int64_t chunk) const;
  void Decoded(const std::shared_ptr<Session>& session, const ChunkDecoded& chunk) const;
  // Nothing further will come of it. For the end as it was asked for.
  void Ended(const SessionKey& session) const;

 private:
  // Whether a client hears of what the store answered.
  bool IsTold(const Session& session, bool durable) const;

  SessionStore* const store_;
};

}  // namespace longtake
