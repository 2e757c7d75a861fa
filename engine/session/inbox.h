// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a client asked of a session, from acceptance to the second receipt. A plain value under the
// session's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/status_macros.h"
#include "engine/session/session_event.h"

namespace longtake {

// An event with the number its receipts carry.
struct AcceptedEvent {
  uint64_t sequence = 0;
  SessionEvent event;
  std::vector<int32_t> prompt_ids;  // for kPrompt, tokenised when accepted
};

class Inbox {
 public:
  explicit Inbox(size_t events_max) : events_max_(events_max) {}

  // Gives the event its number. RESOURCE_EXHAUSTED when too many wait for their second receipt.
  absl::StatusOr<uint64_t> Accept(SessionEvent event, std::vector<int32_t> prompt_ids);
  // Those accepted since the last call.
  std::vector<AcceptedEvent> Take();
  // The second receipt of an event that was taken.
  void PutApplied(EventApplied applied);
  // Events that were never taken get their second receipt now.
  void Close(int64_t chunk);

  // The next second receipt, or null.
  const EventApplied* next_applied() const {
    return applied_.empty() ? nullptr : &applied_.front();
  }
  // There must be one.
  EventApplied PopApplied();

 private:
  size_t events_max_;
  std::vector<AcceptedEvent> accepted_;
  std::deque<EventApplied> applied_;
  uint64_t next_sequence_ = 1;
  size_t open_ = 0;  // second receipt not yet popped
};

}  // namespace longtake
