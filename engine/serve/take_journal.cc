// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/take_journal.h"

namespace longtake {

void TakeJournal::Begin(Session& session) const {
  if (store_ != nullptr) session.ReleaseChunks(0);
}

void TakeJournal::Applied(const std::shared_ptr<Session>& session, const EventHolds& event) const {
  if (store_ == nullptr) return session->PutApplied(event.sequence, event.chunk);
  session->ExpectApplied();
  store_->Put(session->key(), event, [this, session, event](bool durable) {
    if (IsTold(*session, durable)) session->PutApplied(event.sequence, event.chunk);
  });
}

// A disk that fails stops nobody. But what came of a life that is over is not written because the
// next one decides anew.
bool TakeJournal::IsTold(const Session& session, bool durable) const {
  return durable || !store_->IsStale(session.key());
}

void TakeJournal::Started(const Session& session, const Latents& latents) const {
  if (store_ != nullptr) store_->PutStart(session.key(), latents);
}

void TakeJournal::Settled(const std::shared_ptr<Session>& session, int64_t chunk,
                          const Latents& latents) const {
  if (store_ == nullptr) return;
  store_->PutChunk(session->key(), chunk, latents, [this, session, chunk](bool durable) {
    if (IsTold(*session, durable)) session->ReleaseChunks(chunk + 1);
  });
}

void TakeJournal::SettledBefore(Session& session, int64_t chunk) const {
  if (store_ != nullptr) session.ReleaseChunks(chunk + 1);
}

void TakeJournal::Decoded(const std::shared_ptr<Session>& session,
                          const ChunkDecoded& chunk) const {
  if (store_ == nullptr) return;
  store_->Put(session->key(), chunk, [session, end = chunk.chunk + 1](bool durable) {
    if (durable) session->PutDurable(end);
  });
}

void TakeJournal::Ended(const SessionKey& session) const {
  if (store_ != nullptr) store_->Put(session, SessionEnded());
}

}  // namespace longtake
