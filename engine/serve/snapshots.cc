// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/snapshots.h"

#include <algorithm>
#include <memory>

#include "base/error_reason.h"
#include "engine/serve/resume.h"
#include "engine/serve/resume_cost.h"

namespace longtake {
namespace {

constexpr int64_t kHourNanos = 3600LL * 1'000'000'000;
// A session that leaves memory is worth a snapshot from so much on.
constexpr double kLastSeconds = 1;
// Chunks that a reader was sent and perhaps never got.
constexpr int64_t kOnTheWayMax = 4;

}  // namespace

bool HourlyBytes::HasRoom(uint64_t bytes, int64_t now_nanos) {
  while (!taken_.empty() && now_nanos - taken_.front().first >= kHourNanos) {
    sum_ -= taken_.front().second;
    taken_.pop_front();
  }
  return sum_ <= bytes_max_ && bytes <= bytes_max_ - sum_;
}

void HourlyBytes::Take(uint64_t bytes, int64_t now_nanos) {
  sum_ += bytes;
  taken_.emplace_back(now_nanos, bytes);
}

Snapshots::Snapshots(const SnapshotOptions& options, VideoModel& model, KvTables& kv,
                     const SweepCostModel& costs, Clock& clock, StatsBoard& board)
    : options_(options),
      model_(model),
      kv_(kv),
      costs_(costs),
      clock_(clock),
      board_(board),
      hour_(options.bytes_per_hour) {}

void Snapshots::MakeIfDue(LiveSession& live) {
  SnapshotsOfSession& snapshots = live.snapshots;
  if (!CanMake(live) || !live.take().at_chunk_start()) return;
  TakeAnswer(live);
  const int64_t chunk = live.take().chunk();
  if (snapshots.awaited.has_value() || chunk == snapshots.chunk) return;
  if (std::exchange(snapshots.looked_at, chunk) == chunk) return;
  const RolloutState& state = live.rollout().state();
  if (HasGap(live, state)) return;
  const uint64_t kv_bytes = BytesToWrite(live);
  const uint64_t bytes = kv_bytes + LatentBytesOf(state);
  const int64_t now_nanos = clock_.MonotonicNanos();
  if (!hour_.HasRoom(bytes, now_nanos) || ReplaySeconds(live) < options_.resume_seconds_max) return;
  const absl::Status made = Make(live, state, kv_bytes, Makes::kDue);
  if (made.ok()) {
    hour_.Take(bytes, now_nanos);
  } else {
    Refuse(live, made);
  }
}

bool Snapshots::Leave(LiveSession& live) {
  SnapshotsOfSession& snapshots = live.snapshots;
  if (options_.store == nullptr) return true;
  if (ReasonFor(live.session().end_status()) == Reason::kSessionDeleted) return true;
  const int64_t now_nanos = clock_.MonotonicNanos();
  if (!snapshots.leaves_since.has_value()) snapshots.leaves_since = now_nanos;
  if (now_nanos - *snapshots.leaves_since > kLeaveNanosMax) return true;
  TakeAnswer(live);
  // One that is on its way already has most of what another one needs.
  if (snapshots.awaited.has_value()) return false;
  if (!std::exchange(snapshots.last_made, true)) MakeLast(live);
  return !snapshots.awaited.has_value();
}

void Snapshots::MakeLast(LiveSession& live) {
  const RolloutState* state = live.rollout().boundary();
  if (!CanMake(live) || state == nullptr || state->chunk == live.snapshots.chunk) return;
  if (HasGap(live, *state)) return;
  if (ReplaySeconds(live) < std::min(kLastSeconds, options_.resume_seconds_max)) return;
  const absl::Status made = Make(live, *state, BytesToWrite(live), Makes::kLast);
  if (!made.ok()) Refuse(live, made);
}

// Not before all that held is applied again: what is written down says how much of it holds.
bool Snapshots::CanMake(LiveSession& live) const {
  if (options_.store == nullptr || options_.bytes_per_hour == 0) return false;
  if (live.done() || live.replaying() || live.take().chunk() == 0) return false;
  return live.rollout().HasText() &&
         std::none_of(live.events.begin(), live.events.end(),
                      [](const PendingEvent& event) { return event.again; });
}

void Snapshots::TakeAnswer(LiveSession& live) {
  SnapshotsOfSession& snapshots = live.snapshots;
  if (!snapshots.awaited.has_value()) return;
  SnapshotsOfSession::Awaited& awaited = *snapshots.awaited;
  std::optional<SnapshotPlaces> places;
  {
    MutexLock lock(awaited.answer->mutex);
    if (!awaited.answer->there) return;
    places = std::move(awaited.answer->places);
  }
  if (places.has_value()) {
    live.session().PutSnapshotRefusal({});
    snapshots.chunk = awaited.chunk;
    snapshots.written_until = awaited.written_until;
    snapshots.changes.erase(snapshots.changes.begin(),
                            snapshots.changes.begin() + static_cast<ptrdiff_t>(awaited.changes));
    snapshots.kv.clear();
    for (auto& [name, place] : places->kv) {
      snapshots.kv[name] = {.serial = awaited.serials.at(name), .place = std::move(place)};
    }
  } else {
    snapshots.kv.clear();               // perhaps what it named is gone
    kv_.EndReads(live.arrival.number);  // its last turn may wait for a disk that fails
  }
  snapshots.awaited.reset();
  kv_.DropRead(live.arrival.number);
}

// 0 while that is not known.
double Snapshots::ReplaySeconds(LiveSession& live) const {
  const ReplaySpan span = {.first = live.snapshots.written_until,
                           .end = live.take().chunk(),
                           .changes = live.snapshots.changes};
  const auto time = PredictReplay(live.rollout().spec(), span, model_.options().tokens_max,
                                  kv_.InFile(live.arrival.number), costs_);
  return time.has_value() ? time->seconds : 0;
}

bool Snapshots::IsWritten(const LiveSession& live, const KvFrameName& name) const {
  const auto before = live.snapshots.kv.find(name);
  const KvOwner owner = {.session = live.arrival.number, .branch = name.first};
  return before != live.snapshots.kv.end() &&
         before->second.serial == kv_.Serial(owner, name.second);
}

uint64_t Snapshots::BytesToWrite(LiveSession& live) const {
  uint64_t frames = 0;
  for (const KvFrameName& name : kv_.Held(live.arrival.number)) {
    if (!IsWritten(live, name)) ++frames;
  }
  return frames * KvImageBytes(live.rollout().spec().kv_layout);
}

NeededChunks Snapshots::NeededBy(LiveSession& live) const {
  const Session& session = live.session();
  return {.from = std::max<int64_t>(0, session.next_unsent() - kOnTheWayMax),
          .warm_up = WarmUpChunks(session.spec(), model_)};
}

bool Snapshots::HasGap(LiveSession& live, const RolloutState& state) {
  const NeededChunks needed = NeededBy(live);
  const SessionStore::GapState gap = options_.store->LookAtGap(
      live.session().key(), needed.from - std::min(needed.from, needed.warm_up));
  if (gap == SessionStore::GapState::kMayBegin) {
    const absl::Status made = Make(live, state, BytesToWrite(live), Makes::kAnew);
    if (!made.ok()) Refuse(live, made);
  }
  return gap != SessionStore::GapState::kNone;
}

absl::Status Snapshots::Make(LiveSession& live, const RolloutState& state, uint64_t kv_bytes,
                             Makes makes) {
  const std::string& id = live.session().id();
  const uint64_t latent_bytes = LatentBytesOf(state);
  LT_RETURN_IF_ERROR(options_.store->CheckSnapshotRoom(id, kv_bytes + latent_bytes, latent_bytes));
  NewSnapshot made = {
      .snapshot = {.point = live.past, .rollout = state, .prompts = live.arrival.prompts}};
  made.snapshot.point.chunk = state.chunk;
  if (!state.old_text) made.snapshot.prompts.old.clear();
  SnapshotsOfSession::Awaited awaited = PinFrames(live, &made);
  awaited.chunk = state.chunk;
  awaited.written_until = state.written();
  awaited.changes = live.snapshots.changes.size();
  const auto done = [answer = awaited.answer,
                     on_answer = options_.on_answer](const SnapshotPlaces* places) {
    {
      MutexLock lock(answer->mutex);
      answer->there = true;
      if (places != nullptr) answer->places = *places;
    }
    if (on_answer) on_answer();
  };
  const SessionKey key = live.session().key();
  if (makes == Makes::kAnew) {
    options_.store->BeginAnew(key, std::move(made), done);
  } else {
    // Who makes it leave may want an earlier chunk.
    if (makes == Makes::kDue) made.needed = NeededBy(live);
    options_.store->PutSnapshot(key, std::move(made), done);
  }
  live.snapshots.awaited = std::move(awaited);
  return absl::OkStatus();
}

SnapshotsOfSession::Awaited Snapshots::PinFrames(LiveSession& live, NewSnapshot* out) {
  SnapshotsOfSession::Awaited awaited = {.answer = std::make_shared<SnapshotAnswer>()};
  for (const KvFrameName& name : kv_.Held(live.arrival.number)) {
    const KvOwner owner = {.session = live.arrival.number, .branch = name.first};
    awaited.serials[name] = kv_.Serial(owner, name.second);
    if (IsWritten(live, name)) {
      out->written[name] = live.snapshots.kv.at(name).place;
    } else {
      out->kv[name] = kv_.Pin(owner, name.second);
    }
  }
  return awaited;
}

void Snapshots::Refuse(LiveSession& live, const absl::Status& why) {
  live.session().PutSnapshotRefusal(std::string(why.message()));
  board_.Update([](EngineStats& stats) { ++stats.snapshots_refused; });
  if (!std::exchange(told_, true) && options_.on_refused) {
    options_.on_refused(live.session().id(), why);
  }
}

void Snapshots::Begin(LiveSession& live, int64_t chunk, SnapshotFrames frames) {
  if (chunk == 0) return;
  live.snapshots.chunk = live.snapshots.looked_at = chunk;
  live.snapshots.written_until = live.rollout().state().written();
  for (auto& [name, brought] : frames) {
    const KvOwner owner = {.session = live.arrival.number, .branch = name.first};
    kv_.Adopt(owner, name.second, std::move(brought.parts));
    live.snapshots.kv[name] = {.serial = kv_.Serial(owner, name.second),
                               .place = std::move(brought.place)};
  }
}

}  // namespace longtake
