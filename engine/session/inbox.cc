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

absl::StatusOr<EventAccepted> Inbox::Accept(SessionEvent event, std::vector<int32_t> prompt_ids) {
  const Hash128 content = ContentOf(event);
  if (const Control* known = FindId(event.control_id); known != nullptr) {
    if (known->content == content) return known->accepted;
    return FieldError("id", absl::StrCat(event.control_id, " was another control's"));
  }
  const size_t room = event.kind == EventKind::kEnd ? kRoomForEnds : 0;
  if (open_ >= events_max_ + room) {
    return Error(Reason::kEventsWaiting,
                 absl::StrCat(open_, " events are waiting; the limit is ", events_max_));
  }
  const uint64_t sequence = next_sequence_++;
  ++open_;
  controls_.push_back(
      {.id = event.control_id, .content = content, .accepted = {.sequence = sequence}});
  if (controls_.size() > kControlIdsMax) controls_.pop_front();
  accepted_.push_back(
      {.sequence = sequence, .event = std::move(event), .prompt_ids = std::move(prompt_ids)});
  return EventAccepted{.sequence = sequence};
}

const Inbox::Control* Inbox::FindId(uint64_t control_id) const {
  if (control_id == 0) return nullptr;
  const auto found =
      std::find_if(controls_.begin(), controls_.end(),
                   [control_id](const Control& control) { return control.id == control_id; });
  return found == controls_.end() ? nullptr : &*found;
}

std::optional<EventAccepted> Inbox::Known(uint64_t control_id) const {
  const Control* known = FindId(control_id);
  return known == nullptr ? std::nullopt : std::optional(known->accepted);
}

Inbox::Control* Inbox::FindControl(uint64_t sequence) {
  if (controls_.empty() || sequence < controls_.front().accepted.sequence) return nullptr;
  return &controls_[static_cast<size_t>(sequence - controls_.front().accepted.sequence)];
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
  applied_.push_back(
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
