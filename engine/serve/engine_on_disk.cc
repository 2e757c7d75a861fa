// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the engine does with its store: sessions that are parked, come back, are forked and rewound.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "base/random_id.h"
#include "engine/serve/engine.h"
#include "engine/serve/making_room.h"
#include "engine/serve/needs_disk.h"
#include "engine/serve/resolve.h"
#include "engine/serve/resume.h"
#include "engine/serve/snapshot_search.h"
#include "engine/store/store_errors.h"

namespace longtake {
namespace {

absl::Status NoStore() {
  return Error(Reason::kNoStore, "the server keeps no sessions on disk (state-dir)");
}

absl::Status NotKept(const std::string& id) {
  return Error(Reason::kStorageUnavailable,
               absl::StrCat("session ", id, ": not all of it is on disk"), {{"session", id}});
}

// Those whose latents a replay needs: of a take that cannot do with latents, those that are only
// decoded.
std::vector<StoredLatents> LoggedFor(const Replay& replay, bool can_replay) {
  const int64_t end = can_replay ? replay.chunk_count() : replay.made_before;
  return {replay.settled.begin() + replay.next_logged, replay.settled.begin() + end};
}

}  // namespace

absl::Status Engine::Store(Session& session) {
  if (options_.store == nullptr) return absl::OkStatus();
  absl::Status stored = options_.store->Create(
      session.key(), {.spec = session.spec(),
                      .model_digest = model_.digest(),
                      .numerics_profile = std::string(model_.numerics_profile()),
                      .create_wall_nanos = session.create_wall_nanos(),
                      .decoder_digest = model_.DecoderDigest(ChoiceOf(session.spec()))});
  // Somebody may have found it meanwhile.
  if (stored.ok() && ReasonFor(session.end_status()) == Reason::kSessionDeleted) {
    options_.store->Delete(session.id()).IgnoreError();
    return session.end_status();
  }
  if (stored.ok()) return stored;
  // Should the disk take it yet, nobody has it in memory; who deleted it was told that it is gone.
  if (ReasonFor(session.end_status()) == Reason::kSessionDeleted) {
    options_.store->PutBack(session.key(), /*expiry=*/0);
  } else {
    options_.store->PutInUse(session.key(), false);
  }
  // Who found it may attach again where another one is there.
  session.Cancel(absl::IsAlreadyExists(stored) ? Busy(session.id()) : stored);
  MutexLock lock(mutex_);
  const auto found = sessions_.find(session.id());
  if (found != sessions_.end() && found->second.session.get() == &session) sessions_.erase(found);
  return stored;
}

absl::StatusOr<std::optional<CreatedSession>> Engine::FindParked(const ResolvedSpec& spec,
                                                                 const std::string& id,
                                                                 const Caller& caller) {
  if (options_.store == nullptr || !options_.store->Contains(id)) return std::nullopt;
  const absl::StatusOr<std::shared_ptr<Session>> found = FindSession(id);
  if (found.ok() && !(*found)->cancelled() && !MayGoOn(**found)) return std::nullopt;
  const absl::StatusOr<StoredSummary> stored = options_.store->Describe(id);
  if (absl::IsNotFound(stored.status())) return std::nullopt;  // its retention ended
  if (!stored.ok()) return stored.status();
  if (stored->created.spec != spec) return SessionExists(id);
  absl::StatusOr<std::shared_ptr<Session>> session = WakeAlone(id, /*next_chunk=*/-1, caller, {});
  if (absl::IsNotFound(session.status())) return std::nullopt;
  if (!session.ok()) return session.status();
  return CreatedSession{.session = *std::move(session), .is_new = false};
}

absl::StatusOr<std::shared_ptr<Session>> Engine::Wake(const std::string& id, int64_t next_chunk,
                                                      const Caller& caller,
                                                      const std::optional<Told>& told) {
  if (options_.store == nullptr) {
    LT_ASSIGN_OR_RETURN(std::shared_ptr<Session> found, FindSession(id));
    LT_RETURN_IF_ERROR(CheckTold(told, id, found->durable_through(), found->epoch()));
    return found;
  }
  LT_ASSIGN_OR_RETURN(std::shared_ptr<Session> awake, FindAwake(id, next_chunk, told));
  if (awake != nullptr) return awake;
  if (!options_.store->Contains(id)) return FindSession(id);
  if (!caller.may_wait) return NeedsDisk();
  LT_ASSIGN_OR_RETURN(const auto hold, HoldId(id, caller));
  return WakeAlone(id, next_chunk, caller, told);
}

absl::StatusOr<std::shared_ptr<Session>> Engine::WakeAlone(const std::string& id,
                                                           int64_t next_chunk, const Caller& caller,
                                                           const std::optional<Told>& told) {
  // Somebody may have woken it meanwhile.
  LT_ASSIGN_OR_RETURN(std::shared_ptr<Session> awake, FindAwake(id, next_chunk, told));
  if (awake != nullptr) return awake;
  LT_RETURN_IF_ERROR(WriteDown(id));
  if (const auto found = FindSession(id); found.ok()) {
    EndLife(*found, MayGoOn(**found) ? "attached to after it had failed"
                                     : "attached to at a chunk that was to be made again");
  }
  // What it writes of itself as it leaves shortens its way back.
  if (departures_.IsHere(id) && clock_.MonotonicNanos() < caller.asks_until_nanos) {
    return MakingRoom(Error(Reason::kSessionMemoryExhausted,
                            absl::StrCat("session ", id, " has not left memory yet"),
                            {{"session", id}}));
  }
  LT_RETURN_IF_ERROR(MakeRoomFor(id, caller));
  Arrival arrival;
  SessionKey key;
  {
    MutexLock lock(mutex_);
    key = BeginLife(id);
  }
  arrival.number = key.life;
  const std::optional<int64_t> expiry = options_.store->ExpiryOf(id);
  options_.store->PutInUse(key, true);  // its retention must not end on the way
  absl::StatusOr<StoredSession> stored = options_.store->Load(id);
  absl::StatusOr<std::shared_ptr<Session>> session =
      stored.ok() ? Resume(*std::move(stored), next_chunk, caller, told, std::move(arrival))
                  : absl::StatusOr<std::shared_ptr<Session>>(stored.status());
  if (!session.ok()) options_.store->PutBack(key, expiry);
  return session;
}

absl::StatusOr<std::shared_ptr<Session>> Engine::FindAwake(const std::string& id,
                                                           int64_t next_chunk,
                                                           const std::optional<Told>& told) const {
  const absl::StatusOr<std::shared_ptr<Session>> found = FindSession(id);
  if (!found.ok() || (*found)->cancelled()) return nullptr;
  LT_RETURN_IF_ERROR(CheckTold(told, id, (*found)->durable_through(), (*found)->epoch()));
  return MayGoOn(**found) || IsSentAndGone(**found, next_chunk) ? nullptr : *found;
}

// Whether it was sent once and is in the store alone now.
bool Engine::IsSentAndGone(const Session& session, int64_t next_chunk) const {
  const std::string& id = session.id();
  return next_chunk >= 0 && next_chunk < session.Info().oldest_chunk_held &&
         options_.store->IsKept(id) &&
         next_chunk >=
             OldestChunk(options_.store->HistoryOf(id).first_kept, session.spec(), model_);
}

bool Engine::MayGoOn(const Session& session) const {
  return longtake::InfoOf(ReasonFor(session.end_status())).retry_millis > 0 &&
         options_.store->IsKept(session.id());
}

absl::StatusOr<std::shared_ptr<Session>> Engine::Resume(StoredSession stored, int64_t next_chunk,
                                                        const Caller& caller,
                                                        const std::optional<Told>& told,
                                                        Arrival arrival) {
  const ResolvedSpec& spec = stored.created.spec;
  LT_RETURN_IF_ERROR(CheckResume(stored, model_));
  const int64_t decoded = std::ssize(stored.decoded);
  LT_ASSIGN_OR_RETURN(const std::optional<NumericsChanged> changed,
                      ChangeNumerics(next_chunk, model_, &stored));
  // Pixels are made of latents, which are there: that others are made now takes nothing back.
  const int64_t durable_through = changed.has_value() ? std::ssize(stored.settled) : decoded;
  LT_RETURN_IF_ERROR(CheckTold(told, stored.id, durable_through, stored.epoch));
  const RolloutSpec rollout = RolloutFor(spec, model_);
  // Memory comes first: what a snapshot has of K/V is read into it.
  LT_RETURN_IF_ERROR(CheckNextChunk(stored, next_chunk, model_));
  LT_RETURN_IF_ERROR(MakeRoom(spec, caller));
  Admitted admitted;
  {
    MutexLock lock(mutex_);
    LT_ASSIGN_OR_RETURN(admitted, Admit(spec, caller));
  }
  SnapshotSearch snapshots;
  if (!stored.ended) {
    LT_ASSIGN_OR_RETURN(snapshots, FindSnapshot(*options_.store, stored, rollout, admitted.kv));
  }
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
    plan.resumed.frames = std::move(found.frames);
  } else {
    arrival.rollout = Rollout::Create(rollout);
  }
  if (stored.start.has_value() && !arrival.rollout->HasStart()) {
    absl::StatusOr<Latents> start = options_.store->LoadLatents(*stored.start);
    if (!start.ok()) return Annotate(start.status(), absl::StrCat("session ", stored.id));
    arrival.rollout->SetStart(*std::move(start));
  } else if (spec.start_frames != 0 && !stored.start.has_value()) {
    LT_ASSIGN_OR_RETURN(plan.beginning.start,
                        options_.store->LoadStart(stored.id, spec.start_bytes()));
  }
  Replay& replay = *plan.resumed.replay;
  replay.logged = std::make_unique<LoggedChunks>(*options_.store,
                                                 LoggedFor(replay, arrival.rollout->can_replay()),
                                                 [this] { wake_up_.Wake(); });
  ResumeReport report;
  {
    MutexLock lock(mutex_);
    LT_RETURN_IF_ERROR(CheckPlaces());  // others may have come meanwhile
    if (!options_.store->Contains(stored.id)) return NoSession(stored.id);
    LT_RETURN_IF_ERROR(Enter(spec, stored.id, std::move(admitted), &arrival));
    arrival.resumed = std::move(plan.resumed);  // its frames are in the shares that arrived
    report = ForeseeResume(stored, *arrival.resumed, rollout, arrival.kv.in_file(), sweep_costs_,
                           decode_lane_->lane_costs(), model_);
    arrival.session->BeginAt(std::move(plan.beginning));
    arrival.session->PutDurable(durable_through);
  }
  std::shared_ptr<Session> session = arrival.session;
  if (changed.has_value()) options_.store->Put(session->key(), *changed);
  arrival.decode->decoder = std::move(plan.decoder);
  arrival.decode->before = std::move(plan.before);
  report.damaged = std::move(snapshots.damaged);
  if (options_.on_resume) options_.on_resume(report);
  stage_->Add(std::move(arrival));
  return session;
}

absl::StatusOr<SessionInfo> Engine::Describe(const std::string& id, const Caller& caller) const {
  const absl::StatusOr<std::shared_ptr<Session>> found = FindSession(id);
  if (found.ok()) return InfoOf(**found);
  if (options_.store == nullptr || !options_.store->Contains(id)) return found.status();
  if (!caller.may_wait) return NeedsDisk();
  LT_ASSIGN_OR_RETURN(const StoredSummary stored, options_.store->Describe(id));
  return InfoOfParked(stored, model_);
}

absl::StatusOr<Engine::SomeSessions> Engine::DescribeSome(std::span<const SessionName> names,
                                                          uint64_t bytes_max,
                                                          const Caller& caller) const {
  std::vector<std::optional<SessionInfo>> infos(names.size());
  std::vector<std::string> parked;
  std::vector<size_t> places;  // of those among the names
  for (size_t i = 0; i < names.size(); ++i) {
    const absl::StatusOr<std::shared_ptr<Session>> found = FindSession(names[i].id);
    if (found.ok()) {
      infos[i] = InfoOf(**found);
    } else {
      parked.push_back(names[i].id);
      places.push_back(i);
    }
  }
  SomeSessions some = {.sessions = {}, .looked_at = names.size()};
  if (options_.store != nullptr && !parked.empty()) {
    if (!caller.may_wait) return NeedsDisk();
    LT_ASSIGN_OR_RETURN(const std::vector<std::optional<StoredSummary>> stored,
                        options_.store->DescribeSome(parked, bytes_max));
    for (size_t i = 0; i < stored.size(); ++i) {
      if (stored[i].has_value()) infos[places[i]] = InfoOfParked(*stored[i], model_);
    }
    if (stored.size() < parked.size()) some.looked_at = places[stored.size()];
  }
  for (size_t i = 0; i < some.looked_at; ++i) {
    if (infos[i].has_value()) some.sessions.push_back(*std::move(infos[i]));
  }
  return some;
}

SessionInfo Engine::InfoOf(const Session& session) const {
  SessionInfo info = session.Info();
  if (options_.store == nullptr) return info;
  info.durable = options_.store->IsKept(info.id);
  info.has_gap = options_.store->HasGap(info.id);
  info.damage = options_.store->DamageOf(info.id);
  const KeptHistory history = options_.store->HistoryOf(info.id);
  info.base_chunk = history.base;
  if (info.durable) {  // what has left the outbox comes from there
    info.oldest_chunk_held =
        std::min(info.oldest_chunk_held, OldestChunk(history.first_kept, session.spec(), model_));
  }
  return info;
}

std::vector<SessionName> Engine::Names() const {
  std::set<SessionName> names;
  if (options_.store != nullptr) {
    for (const SessionRow& row : options_.store->Sessions()) {
      names.insert({row.create_wall_nanos, row.id});
    }
    for (const SessionRow& row : options_.store->DamagedSessions()) {
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
  const IdLocks::Hold hold(id_locks_, request.id);
  {
    MutexLock lock(mutex_);
    if (sessions_.contains(request.id)) return SessionExists(request.id);
  }
  if (request.ended && options_.store->HistoryOf(id).first_kept != 0) {
    LT_ASSIGN_OR_RETURN(const StoredSummary stored, options_.store->Describe(id));
    LT_RETURN_IF_ERROR(CheckShown(stored, request.chunk, model_));
  }
  LT_RETURN_IF_ERROR(UnlessUnwritten(id, options_.store->Fork(id, request)));
  return request.id;
}

absl::StatusOr<std::optional<double>> Engine::ForeseeRewind(const std::string& id,
                                                            int64_t chunk) const {
  if (options_.store == nullptr) return NoStore();
  LT_RETURN_IF_ERROR(CheckWritten(id, chunk));
  LT_ASSIGN_OR_RETURN(StoredSession stored, options_.store->Load(id));
  if (!CheckResume(stored, model_).ok()) return std::nullopt;
  stored.CutAt(chunk);
  LT_ASSIGN_OR_RETURN(const std::optional<SnapshotPoint> snapshot,
                      FindSnapshotPoint(*options_.store, stored));
  LT_ASSIGN_OR_RETURN(const SessionEstimate cost, Estimate(stored.created.spec));
  LT_ASSIGN_OR_RETURN(
      const ResumeReport report,
      ForeseeResume(stored, snapshot.has_value() ? &*snapshot : nullptr, cost.kv_in_file,
                    sweep_costs_, decode_lane_->lane_costs(), model_));
  return report.seconds;
}

absl::Status Engine::Rewind(const std::string& id, int64_t chunk) {
  if (options_.store == nullptr) return NoStore();
  const IdLocks::Hold hold(id_locks_, id);
  LT_RETURN_IF_ERROR(CheckWritten(id, chunk));
  const absl::StatusOr<std::shared_ptr<Session>> session = FindSession(id);
  if (session.ok()) EndLife(*session, "rewound");
  {
    MutexLock lock(mutex_);
    BeginLife(id);  // one that is leaving has its say no more either
  }
  return options_.store->Rewind(id, chunk);
}

absl::Status Engine::Park(const std::string& id, std::function<void()> left) {
  if (options_.store == nullptr) return NoStore();
  {
    const IdLocks::Hold hold(id_locks_, id);
    const absl::StatusOr<std::shared_ptr<Session>> session = FindSession(id);
    if (!session.ok() && !options_.store->Contains(id)) return session.status();
    LT_RETURN_IF_ERROR(WriteDown(id));
    if (!options_.store->Contains(id)) return NoSession(id);  // its retention ended
    if (!options_.store->IsKept(id)) return NotKept(id);
    if (session.ok()) EndLife(*session, "parked");
    if (!left || departures_.Await(id, left)) return absl::OkStatus();
  }
  left();
  return absl::OkStatus();
}

absl::Status Engine::WriteDown(const std::string& id) const {
  const absl::Status written = options_.store->Flush();
  if (written.message() == CommitQueue::kNoAnswer) return written;
  if (written.ok() && options_.store->durable()) return absl::OkStatus();
  return Error(Reason::kStorageUnavailable,
               absl::StrCat("session ", id, ": the session store's disk fails"), {{"session", id}});
}

absl::Status Engine::CheckWritten(const std::string& id, int64_t chunk) const {
  if (!options_.store->Contains(id)) return NoSession(id);
  LT_RETURN_IF_ERROR(WriteDown(id));
  return UnlessUnwritten(id, options_.store->CheckChunk(id, chunk));
}

absl::Status Engine::UnlessUnwritten(const std::string& id, const absl::Status& status) const {
  if (!absl::IsOutOfRange(status)) return status;
  // Not IsKept: somebody may have deleted it meanwhile.
  const bool unwritten = !options_.store->durable() || options_.store->HasGap(id);
  return unwritten ? NotKept(id) : status;
}

void Engine::EndLife(const std::shared_ptr<Session>& session, const std::string& what) {
  const std::string& id = session->id();
  {
    MutexLock lock(mutex_);
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || found->second.session != session) return;
    sessions_.erase(found);
    leaving_ = session;
    leaving_nanos_ = clock_.MonotonicNanos();
    BeginLife(id);
    // In the store's own name: what the life that is over says of it comes late.
    options_.store->PutInUse({.id = id}, false);
  }
  session->Cancel(Error(Reason::kSessionParked, absl::StrCat("session ", id, " was ", what),
                        {{"session", id}}));
}

SessionKey Engine::BeginLife(const std::string& id) {
  SessionKey key = {.id = id, .life = next_order_++};
  options_.store->BeginLife(key);
  return key;
}

}  // namespace longtake
