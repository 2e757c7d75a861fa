// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/live_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {

PendingEvent* LiveSession::next_prompt() {
  PendingEvent* next = nullptr;
  for (PendingEvent& event : events) {
    if (!event.is_prompt()) continue;
    // Of several that hold from the same boundary on the last one is shown.
    if (next != nullptr && event.chunk > std::max(next->chunk, take().chunk())) break;
    next = &event;
  }
  return next;
}

void LiveSession::AddEvent(WaitingEvent event, bool again) {
  const auto place = std::upper_bound(
      events.begin(), events.end(), event.chunk,
      [](int64_t chunk, const PendingEvent& other) { return chunk < other.chunk; });
  events.emplace(place, std::move(event))->again = again;
}

PendingEvent* LiveSession::prompt_to_encode() {
  PendingEvent* next = next_prompt();
  // The old text takes the room of the waiting one until its last clean pass.
  if (rollout().needs_old_text()) return nullptr;
  for (PendingEvent& other : events) {
    if (&other != next) other.text = {};
  }
  return next == nullptr || !next->text.empty() ? nullptr : next;
}

bool LiveSession::needs_clean_passes() {
  if (!rollout().at_chunk_start() || !rollout().needs_old_text()) return false;
  const PendingEvent* next = next_prompt();
  return next != nullptr && next->chunk <= rollout().chunk();
}

bool LiveSession::awaits_log() const {
  return replaying() && !decodes_again() && rollout().can_replay() && take().at_chunk_start() &&
         !rollout().HasLogged();
}

absl::StatusOr<std::optional<Latents>> LiveSession::TakeLogged() {
  absl::StatusOr<std::optional<Latents>> latents = replay->logged->Take();
  if (latents.ok()) return latents;
  return Annotate(latents.status(), absl::StrCat("session ", session().id()));
}

absl::Status LiveSession::FeedReplay() {
  if (!awaits_log()) return absl::OkStatus();
  LT_ASSIGN_OR_RETURN(std::optional<Latents> latents, TakeLogged());
  if (!latents.has_value()) return absl::OkStatus();
  ++replay->next_logged;
  std::deque<Latents> next;
  next.push_back(*std::move(latents));
  rollout().SetLogged(std::move(next));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<FinishedChunk>> LiveSession::TakeDecodedAgain() {
  LT_ASSIGN_OR_RETURN(std::optional<Latents> latents, TakeLogged());
  if (!latents.has_value()) return std::nullopt;
  return FinishedChunk{.index = replay->next_logged++, .latents = *std::move(latents)};
}

absl::Status LiveSession::CheckAgain(const FinishedChunk& chunk) {
  if (!replay->comparable ||
      RefOf(chunk.latents) == replay->settled[static_cast<size_t>(chunk.index)].ref) {
    return absl::OkStatus();
  }
  const std::string& id = session().id();
  return Error(Reason::kSessionCorrupt,
               absl::StrCat("session ", id, ": chunk ", chunk.index,
                            " is not what it was before the session came back"),
               {{"session", id}});
}

bool LiveSession::has_enough_given() const {
  return replaying() && rollout().clean_passes_waiting() >= LoggedChunks::kAheadMax;
}

bool LiveSession::FinishReplay() {
  if (!replay.has_value() || replaying() || shows_again()) return false;
  paused = replay->paused;
  replay.reset();
  return true;
}

bool LiveSession::held_back() {
  return take().at_chunk_start() &&
         std::any_of(events.begin(), events.end(), [this](const PendingEvent& event) {
           return event.timed && event.chunk <= take().chunk();
         });
}

void FailSession(LiveSession& live, const absl::Status& status, StatsBoard& board) {
  if (live.ending) return;
  live.failure = status;
  live.ending = true;
  board.Update([](EngineStats& stats) { ++stats.sessions_failed; });
}

}  // namespace longtake
