// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/inbox.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {
namespace {

// Whoever waits for a full inbox must still be able to end the session.
constexpr size_t kRoomForEnds = 4;

Hash128 ContentOf(const SessionEvent& event) {
  const std::string text =
      absl::StrCat(static_cast<int>(event.kind), " ", event.frame.value_or(-1), " ", event.prompt);
  return Xxh3Hash128(std::as_bytes(std::span(text)));
}

}  // namespace

absl::Status ControlIdError(uint64_t control_id) {
  return FieldError("id", absl::StrCat(control_id, " was another control's"));
}

Inbox Inbox::Restore(size_t events_max, std::vector<RestoredEvent> events, uint64_t next_sequence) {
  Inbox inbox(events_max);
  for (RestoredEvent& event : events) {
    const uint64_t sequence = event.accepted.sequence;
    inbox.Accept(std::move(event.accepted), /*durable=*/true);
    if (!event.applied_chunk.has_value()) continue;
    inbox.accepted_.pop_back();
    inbox.PutApplied(sequence, *event.applied_chunk);
    inbox.PopApplied();
  }
  inbox.next_sequence_ = next_sequence;
  return inbox;
}

absl::StatusOr<std::optional<EventAccepted>> Inbox::Find(const SessionEvent& event) const {
  const Control* known = FindId(event.control_id);
  if (known == nullptr) return std::nullopt;
  if (known->content != ContentOf(event)) return ControlIdError(event.control_id);
  return known->accepted;
}

absl::Status Inbox::CheckRoom(EventKind kind, size_t about_to_be_accepted) const {
  const size_t waiting = open_ + about_to_be_accepted;
  const size_t room = kind == EventKind::kEnd ? kRoomForEnds : 0;
  if (waiting < events_max_ + room) return absl::OkStatus();
  return Error(Reason::kEventsWaiting,
               absl::StrCat(waiting, " events are waiting; the limit is ", events_max_));
}

EventAccepted Inbox::Accept(AcceptedEvent event, bool durable) {
  ++open_;
  const EventAccepted accepted = {.sequence = event.sequence, .durable = durable};
  controls_.push_back(
      {.id = event.event.control_id, .content = ContentOf(event.event), .accepted = accepted});
  if (controls_.size() > kControlIdsMax) controls_.pop_front();
  accepted_.push_back(std::move(event));
  return accepted;
}

const Inbox::Control* Inbox::FindId(uint64_t control_id) const {
  if (control_id == 0) return nullptr;
  const auto found =
      std::find_if(controls_.begin(), controls_.end(),
                   [control_id](const Control& control) { return control.id == control_id; });
  return found == controls_.end() ? nullptr : &*found;
}

Inbox::Control* Inbox::FindControl(uint64_t sequence) {
  const auto found = std::lower_bound(
      controls_.begin(), controls_.end(), sequence,
      [](const Control& control, uint64_t wanted) { return control.accepted.sequence < wanted; });
  return found == controls_.end() || found->accepted.sequence != sequence ? nullptr : &*found;
}

std::vector<AcceptedEvent> Inbox::Take() { return std::exchange(accepted_, {}); }

bool Inbox::AreTaken(std::vector<uint64_t> sequences) const {
  if (sequences.size() + accepted_.size() + applied_.size() != open_) return false;
  for (const AcceptedEvent& event : accepted_) sequences.push_back(event.sequence);
  for (const EventApplied& event : applied_) sequences.push_back(event.sequence);
  std::sort(sequences.begin(), sequences.end());
  return std::adjacent_find(sequences.begin(), sequences.end()) == sequences.end() &&
         (sequences.empty() || (sequences.front() > 0 && sequences.back() < next_sequence_));
}

void Inbox::PutApplied(uint64_t sequence, int64_t chunk) {
  LT_CHECK(applied_.size() < open_);
  Control* control = FindControl(sequence);
  if (control != nullptr) control->accepted.applied_chunk = chunk;
  // At a session's end those that nobody took come before those that are still being recorded.
  const auto place = std::upper_bound(
      applied_.begin(), applied_.end(), chunk,
      [](int64_t wanted, const EventApplied& other) { return wanted < other.chunk; });
  applied_.insert(
      place,
      {.sequence = sequence, .chunk = chunk, .control_id = control == nullptr ? 0 : control->id});
}

void Inbox::Close(int64_t chunk) {
  for (const AcceptedEvent& event : Take()) {
    PutApplied(event.sequence, chunk);
  }
}

EventApplied Inbox::PopApplied() {
  const EventApplied applied = applied_.front();
  applied_.pop_front();
  --open_;
  return applied;
}

}  // namespace longtake
