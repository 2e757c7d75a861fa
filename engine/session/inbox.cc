// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/inbox.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {

absl::StatusOr<uint64_t> Inbox::Accept(SessionEvent event, std::vector<int32_t> prompt_ids) {
  if (open_ >= events_max_) {
    return WithReason(absl::ResourceExhaustedError(
                          absl::StrCat(open_, " events are waiting; the limit is ", events_max_)),
                      "EVENTS_WAITING");
  }
  const uint64_t sequence = next_sequence_++;
  ++open_;
  accepted_.push_back(
      {.sequence = sequence, .event = std::move(event), .prompt_ids = std::move(prompt_ids)});
  return sequence;
}

std::vector<AcceptedEvent> Inbox::Take() { return std::exchange(accepted_, {}); }

void Inbox::PutApplied(EventApplied applied) {
  LT_CHECK(applied_.size() < open_);
  applied_.push_back(applied);
}

void Inbox::Close(int64_t chunk) {
  for (const AcceptedEvent& event : Take()) {
    PutApplied({.sequence = event.sequence, .chunk = chunk});
  }
}

EventApplied Inbox::PopApplied() {
  const EventApplied applied = applied_.front();
  applied_.pop_front();
  --open_;
  return applied;
}

}  // namespace longtake
