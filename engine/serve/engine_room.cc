// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How the engine makes room for a session that somebody wants: it parks one that nobody reads.
#include "engine/serve/engine.h"
#include "engine/serve/making_room.h"

namespace longtake {
namespace {

// A session that nobody has read for so long gives its memory to one that somebody wants.
constexpr int64_t kIdleNanosMin = 1'000'000'000;

}  // namespace

absl::Status Engine::MakeRoom(const ResolvedSpec& spec, const Caller& caller) {
  {
    MutexLock lock(mutex_);
    if (options_.store == nullptr || draining_) return absl::OkStatus();
  }
  LT_ASSIGN_OR_RETURN(const SessionEstimate estimate, Estimate(spec, caller));
  if (estimate.fits_now) return absl::OkStatus();
  // Only what all sessions share comes back from others.
  const bool shared = estimate.refusal_reason == Reason::kSessionMemoryExhausted ||
                      estimate.refusal_reason == Reason::kSessionPlacesExhausted;
  if (!shared || clock_.MonotonicNanos() >= caller.asks_until_nanos) return absl::OkStatus();
  if (!IsRoomOnItsWay() && !ParkIdlest()) return absl::OkStatus();
  return MakingRoom(Error(*estimate.refusal_reason, estimate.refusal));
}

absl::Status Engine::MakeRoomFor(const std::string& id, const Caller& caller) {
  LT_ASSIGN_OR_RETURN(const StoredSummary stored, options_.store->Describe(id));
  // For one that cannot come back nobody need go.
  if (stored.created.model_digest != model_.digest()) return absl::OkStatus();
  return MakeRoom(stored.created.spec, caller);
}

bool Engine::IsRoomOnItsWay() const {
  MutexLock lock(mutex_);
  return !leaving_.expired() &&
         clock_.MonotonicNanos() - leaving_nanos_ < Snapshots::kLeaveNanosMax;
}

bool Engine::ParkIdlest() {
  if (!options_.store->Flush().ok()) return false;
  std::shared_ptr<Session> idlest;
  int64_t most_nanos = 0;
  for (const std::shared_ptr<Session>& session : Sessions()) {
    const int64_t alone_nanos = session->NanosAlone();
    if (alone_nanos < kIdleNanosMin || session->cancelled()) continue;
    if (!options_.store->IsKept(session->id())) continue;
    if (idlest != nullptr && alone_nanos <= most_nanos) continue;
    idlest = session;
    most_nanos = alone_nanos;
  }
  if (idlest != nullptr) EndLife(idlest, "parked, as others needed its memory");
  return idlest != nullptr;
}

}  // namespace longtake
