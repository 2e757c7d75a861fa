// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a client asked of a session, from acceptance to the second receipt. A plain value under the
// session's lock; a copy goes on with the same numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/checksum.h"
#include "base/status_macros.h"
#include "engine/policy/limits.h"
#include "engine/session/session_event.h"

namespace longtake {

// An event with the number its receipts carry.
struct AcceptedEvent {
  uint64_t sequence = 0;
  SessionEvent event;
  std::vector<int32_t> prompt_ids;  // for kPrompt, tokenised when accepted
  friend bool operator==(const AcceptedEvent&, const AcceptedEvent&) = default;
};

class Inbox {
 public:
  explicit Inbox(size_t events_max = 0) : events_max_(events_max) {}

  // Gives the event its number. One whose control_id is known, as those of the latest
  // kControlIdsMax accepted are, gets the number it had then; INVALID_ARGUMENT when that was
  // another event. RESOURCE_EXHAUSTED when too many wait for their second receipt; an end finds
  // room beyond that.
  absl::StatusOr<EventAccepted> Accept(SessionEvent event, std::vector<int32_t> prompt_ids);
  // What Accept returned for this control_id, while it is known.
  std::optional<EventAccepted> Known(uint64_t control_id) const;
  // Those accepted since the last call.
  std::vector<AcceptedEvent> Take();
  // The second receipt of an event that was taken: from this chunk on it holds.
  void PutApplied(uint64_t sequence, int64_t chunk);
  // Events that were never taken get their second receipt now.
  void Close(int64_t chunk);

  // The next second receipt, or null.
  const EventApplied* next_applied() const {
    return applied_.empty() ? nullptr : &applied_.front();
  }
  // There must be one.
  EventApplied PopApplied();
  friend bool operator==(const Inbox&, const Inbox&) = default;

 private:
  struct Control {
    uint64_t id = 0;  // 0: none
    Hash128 content;
    EventAccepted accepted;
    friend bool operator==(const Control&, const Control&) = default;
  };
  const Control* FindId(uint64_t control_id) const;
  Control* FindControl(uint64_t sequence);

  size_t events_max_;
  std::deque<Control> controls_;  // the latest that were accepted, by rising sequence
  std::vector<AcceptedEvent> accepted_;
  std::deque<EventApplied> applied_;
  uint64_t next_sequence_ = 1;
  size_t open_ = 0;  // second receipt not yet popped
};

}  // namespace longtake
