// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/inbox.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {

absl::StatusOr<EventAccepted> Inbox::Accept(SessionEvent event, std::vector<int32_t> prompt_ids) {
  if (const auto known = Known(event.control_id); known.has_value()) return *known;
  if (open_ >= events_max_) {
    return Error(Reason::kEventsWaiting,
                 absl::StrCat(open_, " events are waiting; the limit is ", events_max_));
  }
  const uint64_t sequence = next_sequence_++;
  ++open_;
  controls_.push_back({.id = event.control_id, .accepted = {.sequence = sequence}});
  if (controls_.size() > kControlIdsMax) controls_.pop_front();
  accepted_.push_back(
      {.sequence = sequence, .event = std::move(event), .prompt_ids = std::move(prompt_ids)});
  return EventAccepted{.sequence = sequence};
}

std::optional<EventAccepted> Inbox::Known(uint64_t control_id) const {
  if (control_id == 0) return std::nullopt;
  for (const Control& control : controls_) {
    if (control.id == control_id) return control.accepted;
  }
  return std::nullopt;
}

Inbox::Control* Inbox::FindControl(uint64_t sequence) {
  if (controls_.empty() || sequence < controls_.front().accepted.sequence) return nullptr;
  return &controls_[static_cast<size_t>(sequence - controls_.front().accepted.sequence)];
}

std::vector<AcceptedEvent> Inbox::Take() { return std::exchange(accepted_, {}); }

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
