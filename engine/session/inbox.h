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

// INVALID_ARGUMENT: a control_id came again with another event.
absl::Status ControlIdError(uint64_t control_id);

// An event that an earlier process accepted.
struct RestoredEvent {
  AcceptedEvent accepted;
  std::optional<int64_t> applied_chunk = {};
};

class Inbox {
 public:
  explicit Inbox(size_t events_max = 0) : events_max_(events_max) {}
  // As it was when these had been accepted, each with the chunk it holds from when it has been
  // applied; receipts of those count as sent, the others are there to be taken.
  static Inbox Restore(size_t events_max, std::vector<RestoredEvent> events,
                       uint64_t next_sequence);

  // What Accept gave for this event, while its control_id is known: of the latest kControlIdsMax
  // that were accepted. INVALID_ARGUMENT when that was another event.
  absl::StatusOr<std::optional<EventAccepted>> Find(const SessionEvent& event) const;
  // RESOURCE_EXHAUSTED when too many wait for their second receipt, those included that are about
  // to be accepted; an end finds room beyond that.
  absl::Status CheckRoom(EventKind kind, size_t about_to_be_accepted = 0) const;
  // A number that no other event gets, whether this one is accepted or not.
  uint64_t Number() { return next_sequence_++; }
  // Accepts an event that has its number, which is above those of all that were accepted before.
  EventAccepted Accept(AcceptedEvent event, bool durable = false);
  // Those accepted since the last call.
  std::vector<AcceptedEvent> Take();
  // The second receipt of an event that was taken: from this chunk on it holds.
  void PutApplied(uint64_t sequence, int64_t chunk);
  // Events that were never taken get their second receipt now.
  void Close(int64_t chunk);

  // Whether exactly these events were taken and have no second receipt yet.
  bool AreTaken(std::vector<uint64_t> sequences) const;

  // The next second receipt, by rising chunks, or null.
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
