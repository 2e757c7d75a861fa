// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/engine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/error_reason.h"
#include "base/random_id.h"
#include "engine/serve/making_room.h"
#include "engine/serve/needs_disk.h"
#include "engine/serve/resolve.h"

namespace longtake {
namespace {

absl::Status ShuttingDown() { return Error(Reason::kShuttingDown, "the server is shutting down"); }

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(VideoModel& model,
                                                       const EngineOptions& options, Clock& clock) {
  auto engine = std::unique_ptr<Engine>(new Engine(model, options, clock));
  LT_RETURN_IF_ERROR(engine->OpenKv());
  engine->decode_lane_ =
      std::make_unique<DecodeLane>(model.chunk_decoder(), engine->journal_, clock, engine->wake_up_,
                                   model.options().trace, options.decode);
  engine->stage_ = std::make_unique<Stage>(
      model, *engine->decode_lane_, *engine->kv_, engine->journal_, engine->sweep_costs_, clock,
      engine->wake_up_,
      Stage::Options{.prompt_cache_bytes_max = options.prompt_cache_bytes_max,
                     .on_gone = [raw = engine.get()](const std::string& id) { raw->Forget(id); },
                     .on_left = [raw = engine.get()](
                                    const SessionKey& session) { raw->departures_.Left(session); },
                     .on_sweep = options.on_sweep,
                     .snapshots = {.store = options.store,
                                   .resume_seconds_max = options.resume_seconds_max,
                                   .bytes_per_hour = options.snapshot_bytes_per_hour,
                                   .on_refused = options.on_snapshot_refused,
                                   .on_answer = [raw = engine.get()] { raw->wake_up_.Wake(); }}});
  return engine;
}

Engine::Engine(VideoModel& model, const EngineOptions& options, Clock& clock)
    : model_(model),
      options_(options),
      clock_(clock),
      journal_(options.store),
      sweep_costs_(options.predict_sweep,
                   [&model](const SweepLoad& load) { return model.SweepFlops(load); }) {}

// Bytes of all K/V go to the stages by how many layers they have, as K/V does.
absl::Status Engine::OpenKv() {
  std::vector<std::unique_ptr<StageKv>> stages;
  const auto all = static_cast<uint64_t>(model_.config().layers);
  for (size_t i = 0; i < model_.stage_count(); ++i) {
    const int64_t layers = model_.stage(i).range().count();
    const auto share = [&](uint64_t bytes) {
      return ShareOf(bytes, static_cast<uint64_t>(layers), all);
    };
    const std::vector<uint64_t>& pools = options_.kv_bytes_of_stages;
    LT_ASSIGN_OR_RETURN(
        stages.emplace_back(),
        StageKv::Open(model_.stage(i).backend().device(),
                      {.layers = layers,
                       .pool_bytes = pools.empty() ? share(options_.kv_bytes_max) : pools[i],
                       .page_bytes = options_.kv_page_bytes,
                       .populator = options_.populator,
                       .files = options_.files,
                       .file_directory = options_.kv_file_directory,
                       .file_bytes = share(options_.kv_file_bytes_max),
                       .stream = options_.kv_stream}));
  }
  kv_ = std::make_unique<KvStages>(std::move(stages));
  std::optional<SnapshotLimits> snapshots;
  if (options_.store != nullptr) {
    snapshots = {.resume_seconds_max = options_.resume_seconds_max,
                 .bytes_per_hour = options_.snapshot_bytes_per_hour};
  }
  admission_ = std::make_unique<Admission>(
      model_, *kv_,
      Admission::Options{.session_bytes_max = options_.session_bytes_max,
                         .session_device_bytes_max = options_.session_device_bytes_max,
                         .outbox_bytes_max = options_.session.outbox_bytes_max,
                         .sessions_max = options_.sessions_max,
                         .peer_share_percent = options_.peer_share_percent,
                         .snapshots = snapshots});
  return absl::OkStatus();
}

Engine::~Engine() { Stop(); }

void Engine::Start() {
  decode_lane_->Start();
  stage_->Start();
}

void Engine::Drain(int64_t end_nanos) {
  {
    MutexLock lock(mutex_);
    draining_ = true;
  }
  if (keeps_sessions()) stage_->Drain(end_nanos);
}

void Engine::Stop() {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    draining_ = true;
    stopped_ = true;
  }
  for (const auto& session : Sessions()) {
    session->Cancel(ShuttingDown());
  }
  if (stage_ != nullptr) stage_->Stop();
  departures_.AllLeft();
  if (decode_lane_ != nullptr) decode_lane_->Stop();
}

bool Engine::Step() {
  const bool decoded = decode_lane_->Step();
  const bool swept = stage_->Step();
  return swept || decoded || !decode_lane_->idle();  // the stage may have handed something over
}

absl::Status Engine::CheckPlaces() const {
  if (draining_) return ShuttingDown();
  if (sessions_.size() < options_.sessions_max) return absl::OkStatus();
  return Error(Reason::kSessionPlacesExhausted,
               absl::StrCat("all ", options_.sessions_max, " session places are taken"));
}

absl::Status Engine::SessionExists(const std::string& id) {
  return Error(Reason::kSessionExists, absl::StrCat("session ", id, " exists"), {{"session", id}});
}

absl::Status Engine::Busy(const std::string& id) {
  return Error(Reason::kServerBusy,
               absl::StrCat("session ", id, ": something else is being done to it"),
               {{"session", id}});
}

absl::StatusOr<std::unique_ptr<IdLocks::Hold>> Engine::HoldId(const std::string& id,
                                                              const Caller& caller) {
  if (caller.asks_until_nanos != 0 && id_locks_.IsHeld(id)) {
    const bool asks_again = clock_.MonotonicNanos() < caller.asks_until_nanos;
    return asks_again ? MakingRoom(Busy(id)) : Busy(id);
  }
  return std::make_unique<IdLocks::Hold>(id_locks_, id);
}

absl::Status Engine::TokenizePrompts(const ResolvedSpec& spec, Arrival* arrival) const {
  LT_ASSIGN_OR_RETURN(arrival->prompts.branches.emplace_back(), model_.Tokenize(spec.prompt));
  if (spec.guided()) {
    auto ids = model_.Tokenize(spec.negative_prompt);
    if (!ids.ok()) return WithFieldPrefix(ids.status(), "negative_");
    arrival->prompts.branches.push_back(*std::move(ids));
  }
  for (size_t i = 0; i < spec.prompt_changes.size(); ++i) {
    auto ids = model_.Tokenize(spec.prompt_changes[i].prompt);
    if (!ids.ok()) return WithFieldPrefix(ids.status(), absl::StrCat("prompt_changes[", i, "]."));
    arrival->change_ids.push_back(*std::move(ids));
  }
  return absl::OkStatus();
}

absl::StatusOr<ResolvedSpec> Engine::Resolve(const SessionSpec& spec) const {
  return ResolveSpec(spec, model_);
}

absl::StatusOr<SessionEstimate> Engine::Estimate(const ResolvedSpec& spec,
                                                 const Caller& caller) const {
  LT_ASSIGN_OR_RETURN(
      SessionEstimate out,
      admission_->Estimate(spec, {sweep_costs_, decode_lane_->lane_costs()}, caller));
  MutexLock lock(mutex_);
  if (const absl::Status places = CheckPlaces(); !places.ok()) {
    out.fits_now = false;
    out.refusal = std::string(places.message());
    out.refusal_reason = ReasonFor(places);
  }
  return out;
}

absl::StatusOr<std::optional<CreatedSession>> Engine::FindSame(const ResolvedSpec& spec,
                                                               const std::string& id) const {
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || found->second.session->cancelled()) return std::nullopt;
  if (found->second.session->spec() == spec) {
    return CreatedSession{.session = found->second.session, .is_new = false};
  }
  return SessionExists(id);
}

absl::StatusOr<CreatedSession> Engine::CreateSession(const ResolvedSpec& spec, std::string id,
                                                     const Caller& caller) {
  if (id.empty()) id = RandomId();
  if (options_.store == nullptr) return CreateAlone(spec, id, caller);
  if (!caller.may_wait) return NeedsDisk();
  LT_ASSIGN_OR_RETURN(const auto hold, HoldId(id, caller));
  LT_ASSIGN_OR_RETURN(const auto parked, FindParked(spec, id, caller));
  return parked.has_value() ? *parked : CreateAlone(spec, id, caller);
}

absl::StatusOr<CreatedSession> Engine::CreateAlone(const ResolvedSpec& spec, const std::string& id,
                                                   const Caller& caller) {
  {
    // What needs no tokens is answered without them: long prompts take their time.
    MutexLock lock(mutex_);
    LT_ASSIGN_OR_RETURN(const auto same, FindSame(spec, id));
    if (same.has_value()) return *same;
    if (draining_) return ShuttingDown();
  }
  LT_RETURN_IF_ERROR(MakeRoom(spec, caller));
  {
    MutexLock lock(mutex_);
    LT_RETURN_IF_ERROR(CheckPlaces());
  }
  Arrival arrival;
  LT_RETURN_IF_ERROR(TokenizePrompts(spec, &arrival));
  {
    MutexLock lock(mutex_);
    LT_ASSIGN_OR_RETURN(const auto same, FindSame(spec, id));
    if (same.has_value()) return *same;
    LT_ASSIGN_OR_RETURN(Admitted admitted, Admit(spec, caller));
    LT_RETURN_IF_ERROR(Enter(spec, id, std::move(admitted), &arrival));
    arrival.rollout = Rollout::Create(RolloutFor(spec, model_));
  }
  CreatedSession created = {.session = arrival.session, .kv_in_file = arrival.kv.in_file()};
  if (const absl::Status stored = Store(*created.session); !stored.ok()) {
    departures_.Left(created.session->key());
    if (!absl::IsAlreadyExists(stored)) return stored;
    // By the same client before, perhaps, which the disk kept waiting for too long. It comes back
    // into the memory that this one had.
    created.session.reset();
    arrival = Arrival();
    LT_ASSIGN_OR_RETURN(const auto there, FindParked(spec, id, caller));
    return there.has_value() ? absl::StatusOr<CreatedSession>(*there) : Busy(id);
  }
  stage_->Add(std::move(arrival));
  return created;
}

absl::StatusOr<Admitted> Engine::Admit(const ResolvedSpec& spec, const Caller& caller) {
  LT_RETURN_IF_ERROR(CheckPlaces());
  return admission_->Admit(spec, caller);
}

absl::Status Engine::Enter(const ResolvedSpec& spec, const std::string& id, Admitted admitted,
                           Arrival* arrival) {
  const auto before = sessions_.find(id);
  if (before != sessions_.end() && !before->second.session->cancelled()) return Busy(id);
  if (arrival->number == 0) arrival->number = next_order_++;
  arrival->kv_share = std::move(admitted.kv_share);
  arrival->kv = std::move(admitted.kv);
  arrival->memory = std::move(admitted.rollout_memory);
  arrival->session = std::make_shared<Session>(
      SessionKey{.id = id, .life = arrival->number}, spec, options_.session,
      std::move(admitted.session_memory), clock_, [this] { wake_up_.Wake(); },
      [this, key = SessionKey{.id = id, .life = arrival->number}](
          const std::string&, const absl::Status& status) { OnSessionEnd(key, status); },
      options_.store != nullptr ? *options_.store : *options_.event_sink);
  journal_.Begin(*arrival->session);
  arrival->decode = std::make_shared<DecodeState>();
  arrival->decode->memory = std::move(admitted.decoder_memory);
  sessions_[id] = {
      .session = arrival->session, .order = arrival->number, .place = std::move(admitted.place)};
  departures_.Come(arrival->session->key());
  return absl::OkStatus();
}

absl::StatusOr<SavedTake> Engine::Save(const Session& session) const {
  LT_ASSIGN_OR_RETURN(SavedTake take, stage_->Save(session));
  take.attachment = session.SaveAttachment();
  return take;
}

absl::StatusOr<std::shared_ptr<Session>> Engine::Restore(SavedTake take, const Caller& caller) {
  Arrival arrival;
  LT_ASSIGN_OR_RETURN(arrival.rollout, RestoreRollout(take, model_));
  LT_ASSIGN_OR_RETURN(DecoderState decoder,
                      RestoreDecoder(model_.chunk_decoder().device(), take.decoder));
  {
    MutexLock lock(mutex_);
    if (sessions_.contains(take.id)) {
      return SessionExists(take.id);
    }
    LT_ASSIGN_OR_RETURN(Admitted admitted, Admit(take.spec, caller));
    LT_RETURN_IF_ERROR(Enter(take.spec, take.id, std::move(admitted), &arrival));
    // Before anybody finds it.
    arrival.session->BeginAt({.inbox = std::move(take.inbox),
                              .chunk = take.decoder.chunk,
                              .frame = take.decoder.next_frame,
                              .has_start = take.rollout.has_start,
                              .attachment = take.attachment});
  }
  std::shared_ptr<Session> session = arrival.session;
  arrival.decode->decoder = std::move(decoder);
  arrival.prompts = std::move(take.prompts);
  arrival.resumed = Resumed{.kv = std::move(take.kv),
                            .events = std::move(take.events),
                            .paused = take.paused,
                            .ending = take.ending,
                            .undecoded = std::move(take.undecoded)};
  stage_->Add(std::move(arrival));
  return session;
}

absl::StatusOr<std::shared_ptr<Session>> Engine::FindSession(const std::string& id) const {
  MutexLock lock(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) {
    return Error(Reason::kSessionNotFound, absl::StrCat("no session ", id), {{"session", id}});
  }
  return found->second.session;
}

std::vector<std::shared_ptr<Session>> Engine::Sessions() const {
  std::vector<const Entry*> entries;
  MutexLock lock(mutex_);
  for (const auto& [id, entry] : sessions_) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(),
            [](const Entry* a, const Entry* b) { return a->order < b->order; });
  std::vector<std::shared_ptr<Session>> out;
  for (const Entry* entry : entries) out.push_back(entry->session);
  return out;
}

absl::Status Engine::DeleteSession(const std::string& id, const Caller& caller) {
  if (options_.store != nullptr && !caller.may_wait) return NeedsDisk();
  // Before the lock: who makes it or reads it need not come to an end first.
  const bool was_here = CancelDeleted(id);
  const IdLocks::Hold hold(id_locks_, id);  // one that is coming back is there then
  return DeleteAlone(id, was_here);
}

absl::Status Engine::DeleteLife(const std::shared_ptr<Session>& session) {
  const IdLocks::Hold hold(id_locks_, session->id());
  const absl::StatusOr<std::shared_ptr<Session>> found = FindSession(session->id());
  if (!found.ok() || *found != session) return absl::OkStatus();
  return DeleteAlone(session->id(), /*was_here=*/true);
}

absl::Status Engine::DeleteAlone(const std::string& id, bool was_here) {
  was_here |= CancelDeleted(id);
  // For clients it is gone now. Its memory comes back when stage, decode lane and stream let it go.
  Forget(id);
  const absl::Status gone = was_here ? absl::OkStatus() : FindSession(id).status();
  if (options_.store == nullptr || !options_.store->Contains(id)) return gone;
  const absl::Status deleted = options_.store->Delete(id);
  return absl::IsNotFound(deleted) ? gone : deleted;
}

bool Engine::CancelDeleted(const std::string& id) {
  const absl::StatusOr<std::shared_ptr<Session>> session = FindSession(id);
  if (!session.ok()) return false;
  (*session)->Cancel(Error(Reason::kSessionDeleted, absl::StrCat("session ", id, " was deleted"),
                           {{"session", id}}));
  return true;
}

void Engine::Forget(const std::string& id) {
  MutexLock lock(mutex_);
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || !found->second.session->cancelled()) return;
  if (options_.store != nullptr) options_.store->PutInUse(found->second.session->key(), false);
  sessions_.erase(found);
}

void Engine::OnSessionEnd(const SessionKey& session, const absl::Status& status) {
  if (status.ok()) journal_.Ended(session);
  if (options_.on_session_end) options_.on_session_end(session.id, status);
}

absl::StatusOr<std::vector<int32_t>> Engine::CheckEvent(const Session& session,
                                                        const SessionEvent& event) const {
  if (event.frame.has_value()) {
    LT_RETURN_IF_ERROR(
        CheckFrame("frame", *event.frame, session.spec(), model_.recipe().chunk_frames));
  }
  if (event.kind != EventKind::kPrompt) return std::vector<int32_t>();
  LT_RETURN_IF_ERROR(CheckPrompt("prompt", event.prompt));
  return model_.Tokenize(event.prompt);
}

absl::StatusOr<EventAccepted> Engine::Submit(Session& session, SessionEvent event,
                                             std::optional<uint64_t> reader) const {
  LT_ASSIGN_OR_RETURN(std::vector<int32_t> ids, CheckEvent(session, event));
  return session.Submit(std::move(event), std::move(ids), reader);
}

void Engine::Submit(std::shared_ptr<Session> session, SessionEvent event,
                    std::optional<uint64_t> reader, SubmitDone done) const {
  absl::StatusOr<std::vector<int32_t>> ids = CheckEvent(*session, event);
  if (!ids.ok()) return done(ids.status());
  session->Submit(std::move(event), *std::move(ids), reader,
                  [session, done = std::move(done)](const absl::StatusOr<EventAccepted>& answer) {
                    done(answer);
                  });
}

EngineStats Engine::stats() const {
  EngineStats stats = stage_->stats();
  const DecodeLane::Stats decode = decode_lane_->stats();
  stats.text_rows = model_.text_row_stats();
  stats.chunks = decode.chunks;
  stats.frames = decode.frames;
  stats.decode_seconds = decode.seconds;
  stats.decode_backlog_chunks = decode.backlog_chunks;
  stats.waiting_starts = decode.waiting_starts;
  const KvStages::Room pools = kv_->pools();
  stats.kv_bytes = pools.bytes_taken;
  stats.kv_bytes_max = pools.bytes_max;
  stats.session_bytes = admission_->session_bytes().host;
  stats.session_device_bytes = admission_->session_bytes().device;
  const KvStages::Room files = kv_->files();
  stats.kv_file_bytes = files.bytes_taken;
  stats.kv_file_bytes_max = files.bytes_max;
  return stats;
}

}  // namespace longtake
