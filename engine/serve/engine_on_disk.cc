// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the engine does with its store: sessions that are parked, come back, are forked and rewound.
#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "base/random_id.h"
#include "engine/serve/engine.h"
#include "engine/serve/resolve.h"
#include "engine/serve/resume.h"
#include "engine/serve/snapshot_search.h"

namespace longtake {
namespace {

// A session that nobody has read for so long gives its memory to one that somebody wants; and how
// long that one waits for it.
constexpr int64_t kIdleNanosMin = 1'000'000'000;
constexpr int64_t kRoomNanos = 2'000'000'000;
constexpr std::chrono::milliseconds kRoomLook{20};
constexpr int kLooksPerParked = 100;

absl::Status NoStore() {
  return Error(Reason::kNoStore, "the server keeps no sessions on disk (state-dir)");
}

// Those whose latents a replay needs: of a take that cannot do with latents, those that are only
// decoded.
std::vector<StoredLatents> LoggedFor(const Replay& replay, bool can_replay) {
  const int64_t end = can_replay ? replay.chunk_count() : replay.made_before;
  return {replay.settled.begin() + replay.next_logged, replay.settled.begin() + end};
}

}  // namespace

absl::Status Engine::Store(const Session& session) {
  if (options_.store == nullptr) return absl::OkStatus();
  const absl::Status stored = options_.store->Create(
      session.key(), {.spec = session.spec(),
                      .model_digest = model_.digest(),
                      .numerics_profile = std::string(model_.numerics_profile()),
                      .create_wall_nanos = session.create_wall_nanos()});
  if (stored.ok()) return stored;
  MutexLock lock(mutex_);
  const auto found = sessions_.find(session.id());
  found->second.session->Cancel(stored);  // somebody may have found it meanwhile
  sessions_.erase(found);
  return stored;
}

absl::StatusOr<std::optional<CreatedSession>> Engine::FindParked(const ResolvedSpec& spec,
                                                                 const std::string& id,
                                                                 const Caller& caller) {
  if (options_.store == nullptr || id.empty() || FindSession(id).ok()) return std::nullopt;
  if (!options_.store->Contains(id)) return std::nullopt;
  LT_ASSIGN_OR_RETURN(const StoredSummary stored, options_.store->Describe(id));
  if (stored.created.spec != spec) return SessionExists(id);
  LT_ASSIGN_OR_RETURN(std::shared_ptr<Session> session, Wake(id, /*next_chunk=*/-1, caller));
  return CreatedSession{.session = std::move(session), .is_new = false};
}

absl::StatusOr<std::shared_ptr<Session>> Engine::Wake(const std::string& id, int64_t next_chunk,
                                                      const Caller& caller) {
  if (options_.store == nullptr) return FindSession(id);
  const MutexLock wake(wake_mutex_);
  absl::StatusOr<std::shared_ptr<Session>> found = FindSession(id);
  if (found.ok() && !(*found)->cancelled() && !IsSentAndGone(**found, next_chunk)) return found;
  if (!options_.store->Contains(id)) return FindSession(id);
  // What waits to be written of its last life is not in the store yet.
  if (!options_.store->durable()) {
    return Error(Reason::kStorageUnavailable,
                 absl::StrCat("session ", id, ": the session store's disk fails"),
                 {{"session", id}});
  }
  if (found.ok()) EndLife(id, "attached to at a chunk that was to be made again");
  Arrival arrival;
  {
    MutexLock lock(mutex_);
    arrival.number = next_order_++;
  }
  const SessionKey key = {.id = id, .life = arrival.number};
  options_.store->BeginLife(key);
  options_.store->PutInUse(key, true);  // its retention must not end on the way
  absl::StatusOr<StoredSession> stored = options_.store->Load(id);
  absl::StatusOr<std::shared_ptr<Session>> session =
      stored.ok() ? Resume(*stored, next_chunk, caller, std::move(arrival))
                  : absl::StatusOr<std::shared_ptr<Session>>(stored.status());
  if (!session.ok()) options_.store->PutInUse(key, false);
  return session;
}

// Whether it was sent once and is in the store alone now.
bool Engine::IsSentAndGone(const Session& session, int64_t next_chunk) const {
  return next_chunk >= 0 && next_chunk < session.Info().oldest_chunk_held &&
         options_.store->IsKept(session.id());
}

absl::Status Engine::MakeRoom(const ResolvedSpec& spec, const Caller& caller) {
  {
    MutexLock lock(mutex_);
    if (options_.store == nullptr || draining_) return absl::OkStatus();
  }
  const int64_t end_nanos = clock_.MonotonicNanos() + kRoomNanos;
  for (;;) {
    LT_ASSIGN_OR_RETURN(const SessionEstimate estimate, Estimate(spec, caller));
    if (estimate.fits_now || clock_.MonotonicNanos() >= end_nanos) return absl::OkStatus();
    // Only what all sessions share comes back from others.
    const bool shared = estimate.refusal_reason == Reason::kSessionMemoryExhausted ||
                        estimate.refusal_reason == Reason::kSessionPlacesExhausted;
    // What was parked gives its memory back when its sweep is over.
    if (!shared || !ParkIdlest()) return absl::OkStatus();
    for (int look = 0; look < kLooksPerParked; ++look) {
      std::this_thread::sleep_for(kRoomLook);
      LT_ASSIGN_OR_RETURN(const SessionEstimate now, Estimate(spec, caller));
      if (now.fits_now) return absl::OkStatus();
    }
  }
}

bool Engine::ParkIdlest() {
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
  if (idlest != nullptr) EndLife(idlest->id(), "parked, as others needed its memory");
  return idlest != nullptr;
}

absl::StatusOr<std::shared_ptr<Session>> Engine::Resume(const StoredSession& stored,
                                                        int64_t next_chunk, const Caller& caller,
                                                        Arrival arrival) {
  const ResolvedSpec& spec = stored.created.spec;
  LT_RETURN_IF_ERROR(CheckResume(stored, model_));
  const RolloutSpec rollout = RolloutFor(spec, model_);
  SnapshotSearch snapshots;
  if (!stored.ended) snapshots = FindSnapshot(*options_.store, stored, rollout);
  LT_ASSIGN_OR_RETURN(
      ResumePlan plan,
      PlanResume(stored, next_chunk, options_.session.inbox_events_max,
                 snapshots.found.has_value() ? &snapshots.found->point : nullptr, model_));
  LT_RETURN_IF_ERROR(TokenizePrompts(spec, &arrival));
  if (snapshots.found.has_value()) {
    FoundSnapshot& found = *snapshots.found;
    arrival.rollout = std::move(found.rollout);
    arrival.prompts = std::move(found.prompts);
    arrival.changes_held = static_cast<size_t>(found.point.changes);
    plan.resumed.kv = std::move(found.kv);
    plan.resumed.kv_places = std::move(found.places.kv);
  } else {
    arrival.rollout = Rollout::Create(rollout);
  }
  if (stored.start.has_value() && !arrival.rollout->HasStart()) {
    LT_ASSIGN_OR_RETURN(Latents start, options_.store->LoadLatents(*stored.start));
    arrival.rollout->SetStart(std::move(start));
  }
  Replay& replay = *plan.resumed.replay;
  replay.logged = std::make_unique<LoggedChunks>(*options_.store,
                                                 LoggedFor(replay, arrival.rollout->can_replay()),
                                                 [this] { wake_up_.Wake(); });
  ResumeReport report;
  arrival.resumed = std::move(plan.resumed);
  LT_RETURN_IF_ERROR(MakeRoom(spec, caller));
  {
    MutexLock lock(mutex_);
    sessions_.erase(stored.id);  // one that was parked and is not yet forgotten
    LT_RETURN_IF_ERROR(Enter(spec, stored.id, caller, &arrival));
    report = ForeseeResume(stored, *arrival.resumed, rollout, arrival.kv->in_file(), sweep_costs_,
                           decode_lane_->lane_costs(), model_);
    arrival.session->BeginAt(std::move(plan.beginning));
    arrival.session->PutDurable(std::ssize(stored.decoded));
  }
  std::shared_ptr<Session> session = arrival.session;
  arrival.decode->decoder = std::move(plan.decoder);
  arrival.decode->before = std::move(plan.before);
  report.damaged = std::move(snapshots.damaged);
  if (options_.on_resume) options_.on_resume(report);
  stage_->Add(std::move(arrival));
  return session;
}

absl::StatusOr<SessionInfo> Engine::Describe(const std::string& id) const {
  const absl::StatusOr<std::shared_ptr<Session>> found = FindSession(id);
  if (found.ok()) return (*found)->Info();
  if (options_.store == nullptr) return found.status();
  LT_ASSIGN_OR_RETURN(const StoredSummary stored, options_.store->Describe(id));
  return InfoOfParked(stored);
}

std::vector<SessionName> Engine::Names() const {
  std::set<SessionName> names;
  if (options_.store != nullptr) {
    for (const SessionRow& row : options_.store->Sessions()) {
      names.insert({row.create_wall_nanos, row.id});
    }
  }
  for (const auto& session : Sessions()) {
    names.insert({session->create_wall_nanos(), session->id()});
  }
  return {names.begin(), names.end()};
}

absl::StatusOr<std::string> Engine::Fork(const std::string& id, ForkRequest request) {
  if (options_.store == nullptr) return NoStore();
  if (request.id.empty()) request.id = RandomId();
  {
    MutexLock lock(mutex_);
    if (sessions_.contains(request.id)) return SessionExists(request.id);
  }
  LT_RETURN_IF_ERROR(options_.store->Fork(id, request));
  return request.id;
}

absl::Status Engine::CheckRewind(const std::string& id, int64_t chunk) const {
  return options_.store == nullptr ? NoStore() : options_.store->CheckChunk(id, chunk);
}

absl::Status Engine::Rewind(const std::string& id, int64_t chunk) {
  if (options_.store == nullptr) return NoStore();
  const MutexLock wake(wake_mutex_);
  LT_RETURN_IF_ERROR(options_.store->CheckChunk(id, chunk));
  EndLife(id, "rewound");
  return options_.store->Rewind(id, chunk);
}

absl::Status Engine::Park(const std::string& id) {
  if (options_.store == nullptr) return NoStore();
  const MutexLock wake(wake_mutex_);
  if (!options_.store->Contains(id)) return FindSession(id).status();
  if (!options_.store->IsKept(id)) {
    return Error(Reason::kStorageUnavailable,
                 absl::StrCat("session ", id, ": not all of it is on disk"), {{"session", id}});
  }
  EndLife(id, "parked");
  return absl::OkStatus();
}

void Engine::EndLife(const std::string& id, const std::string& what) {
  const absl::StatusOr<std::shared_ptr<Session>> session = FindSession(id);
  if (session.ok()) {
    (*session)->Cancel(Error(Reason::kSessionParked, absl::StrCat("session ", id, " was ", what),
                             {{"session", id}}));
    Forget(id);
  }
  MutexLock lock(mutex_);
  options_.store->BeginLife({.id = id, .life = next_order_++});
}

}  // namespace longtake
