// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A session's events that have their number and wait for their record (engine/session/event_sink.h)
// to be done. They leave in the order of their numbers, so one that is recorded early waits for
// those before it. A plain value under the session's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "base/status_macros.h"
#include "engine/session/session_event.h"

namespace longtake {

// Called once with what became of a submitted event, on any thread, without locks.
using SubmitDone = std::function<void(const absl::StatusOr<EventAccepted>&)>;

class PendingRecords {
 public:
  struct Record {
    AcceptedEvent event;
    std::vector<SubmitDone> waiting;     // who submitted it, and who repeated it meanwhile
    std::optional<absl::Status> result;  // once the record is done
    bool durable = false;
  };

  // Numbers rise.
  void Add(AcceptedEvent event, SubmitDone done);
  // The record that this event repeats by its control_id, or null. INVALID_ARGUMENT when that is
  // another event's.
  absl::StatusOr<Record*> Find(const SessionEvent& event);
  // The record of this number is done.
  void Finish(uint64_t sequence, const absl::Status& result, bool durable);
  // Those that are done and have none before them that is not. They are no longer pending.
  std::vector<Record> TakeDone();

  bool empty() const { return records_.empty(); }
  // How many wait for an answer: at least one for each record.
  size_t waiting() const;

 private:
  std::deque<Record> records_;  // by rising numbers
};

}  // namespace longtake
