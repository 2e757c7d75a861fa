// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/snapshots.h"

#include <algorithm>
#include <memory>

#include "base/error_reason.h"
#include "engine/serve/resume_cost.h"

namespace longtake {
namespace {

constexpr int64_t kHourNanos = 3600LL * 1'000'000'000;
// A session that leaves memory is worth a snapshot from so much on.
constexpr double kLastSeconds = 1;

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

Snapshots::Snapshots(const SnapshotOptions& options, const VideoModel& model, const KvTable& kv,
                     KvStream* kv_stream, const SweepCostModel& costs, Clock& clock,
                     StatsBoard& board)
    : options_(options),
      model_(model),
      kv_(kv),
      kv_stream_(kv_stream),
      costs_(costs),
      clock_(clock),
      board_(board),
      hour_(options.bytes_per_hour) {}

void Snapshots::MakeIfDue(LiveSession& live) {
  SnapshotsOfSession& snapshots = live.snapshots;
  if (!CanMake(live) || !live.take().at_chunk_start()) return;
  TakeAnswer(snapshots);
  const int64_t chunk = live.take().chunk();
  if (snapshots.awaited.has_value() || chunk == snapshots.chunk) return;
  if (std::exchange(snapshots.looked_at, chunk) == chunk) return;
  const RolloutState& state = live.rollout().state();
  const uint64_t bytes = BytesToWrite(live, state);
  const int64_t now_nanos = clock_.MonotonicNanos();
  if (!hour_.HasRoom(bytes, now_nanos) || ReplaySeconds(live) < options_.resume_seconds_max) return;
  const absl::Status made = Make(live, state, bytes);
  if (made.ok()) {
    hour_.Take(bytes, now_nanos);
  } else {
    Refuse(live, made);
  }
}

void Snapshots::MakeLast(LiveSession& live) {
  const RolloutState* state = live.rollout().boundary();
  if (!CanMake(live) || state == nullptr) return;
  if (ReasonFor(live.session().end_status()) == Reason::kSessionDeleted) return;
  TakeAnswer(live.snapshots);
  const auto& awaited = live.snapshots.awaited;
  if (state->chunk == live.snapshots.chunk) return;
  if (awaited.has_value() && awaited->chunk == state->chunk) return;
  if (ReplaySeconds(live) < std::min(kLastSeconds, options_.resume_seconds_max)) return;
  const absl::Status made = Make(live, *state, BytesToWrite(live, *state));
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

void Snapshots::TakeAnswer(SnapshotsOfSession& snapshots) {
  if (!snapshots.awaited.has_value()) return;
  SnapshotsOfSession::Awaited& awaited = *snapshots.awaited;
  std::optional<SnapshotPlaces> places;
  {
    MutexLock lock(awaited.answer->mutex);
    if (!awaited.answer->there) return;
    places = std::move(awaited.answer->places);
  }
  if (places.has_value()) {
    snapshots.chunk = awaited.chunk;
    snapshots.written_until = awaited.written_until;
    snapshots.changes.erase(snapshots.changes.begin(),
                            snapshots.changes.begin() + static_cast<ptrdiff_t>(awaited.changes));
    snapshots.kv.clear();
    for (auto& [name, place] : places->kv) {
      snapshots.kv[name] = {.serial = awaited.serials.at(name), .place = std::move(place)};
    }
  } else {
    snapshots.kv.clear();  // perhaps what it named is gone
  }
  snapshots.awaited.reset();
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

uint64_t Snapshots::BytesToWrite(LiveSession& live, const RolloutState& state) const {
  const uint64_t session = live.arrival.number;
  uint64_t frames = 0;
  for (const KvFrameName& name : kv_.Held(session)) {
    const auto before = live.snapshots.kv.find(name);
    const uint64_t serial = kv_.Serial({.session = session, .branch = name.first}, name.second);
    if (before == live.snapshots.kv.end() || before->second.serial != serial) ++frames;
  }
  return frames * KvImageBytes(live.rollout().spec().kv_layout) + LatentBytes(state).size();
}

absl::Status Snapshots::Make(LiveSession& live, const RolloutState& state, uint64_t bytes) {
  const std::string& id = live.session().id();
  LT_RETURN_IF_ERROR(options_.store->CheckSnapshotRoom(id, bytes));
  NewSnapshot made = {
      .snapshot = {.point = live.past, .rollout = state, .prompts = live.arrival.prompts}};
  made.snapshot.point.chunk = state.chunk;
  if (!state.old_text) made.snapshot.prompts.old.clear();
  LT_RETURN_IF_ERROR(CopyFrames(live, &made));
  SnapshotsOfSession::Awaited awaited = {.answer = std::make_shared<SnapshotAnswer>(),
                                         .chunk = state.chunk,
                                         .written_until = state.written(),
                                         .serials = {},
                                         .changes = live.snapshots.changes.size()};
  for (const KvFrameName& name : kv_.Held(live.arrival.number)) {
    awaited.serials[name] =
        kv_.Serial({.session = live.arrival.number, .branch = name.first}, name.second);
  }
  options_.store->PutSnapshot(id, std::move(made),
                              [answer = awaited.answer](const SnapshotPlaces* places) {
                                MutexLock lock(answer->mutex);
                                answer->there = true;
                                if (places != nullptr) answer->places = *places;
                              });
  live.snapshots.awaited = std::move(awaited);
  return absl::OkStatus();
}

absl::Status Snapshots::CopyFrames(LiveSession& live, NewSnapshot* out) const {
  for (const KvFrameName& name : kv_.Held(live.arrival.number)) {
    const KvOwner owner = {.session = live.arrival.number, .branch = name.first};
    const auto before = live.snapshots.kv.find(name);
    if (before != live.snapshots.kv.end() &&
        before->second.serial == kv_.Serial(owner, name.second)) {
      out->written[name] = before->second.place;
    } else {
      LT_ASSIGN_OR_RETURN(out->kv[name], CopyKvFrame(*kv_.Find(owner, name.second), kv_stream_));
    }
  }
  return absl::OkStatus();
}

void Snapshots::Refuse(LiveSession& live, const absl::Status& why) {
  board_.Update([](EngineStats& stats) { ++stats.snapshots_refused; });
  if (!std::exchange(told_, true) && options_.on_refused) {
    options_.on_refused(live.session().id(), why);
  }
}

void Snapshots::Begin(LiveSession& live, int64_t chunk,
                      const std::map<KvFrameName, BulkPlace>& kv) const {
  if (chunk == 0) return;
  live.snapshots.chunk = live.snapshots.looked_at = chunk;
  live.snapshots.written_until = live.rollout().state().written();
  for (const auto& [name, place] : kv) {
    const KvOwner owner = {.session = live.arrival.number, .branch = name.first};
    live.snapshots.kv[name] = {.serial = kv_.Serial(owner, name.second), .place = place};
  }
}

}  // namespace longtake
