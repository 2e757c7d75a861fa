// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/pending_records.h"

#include <algorithm>
#include <utility>

#include "engine/session/inbox.h"

namespace longtake {

void PendingRecords::Add(AcceptedEvent event, SubmitDone done) {
  Record& record = records_.emplace_back();
  record.event = std::move(event);
  record.waiting.push_back(std::move(done));
}

absl::StatusOr<PendingRecords::Record*> PendingRecords::Find(const SessionEvent& event) {
  const uint64_t id = event.control_id;
  const auto found = std::find_if(records_.begin(), records_.end(), [id](const Record& record) {
    return id != 0 && record.event.event.control_id == id;
  });
  if (found == records_.end()) return nullptr;
  if (found->event.event != event) return ControlIdError(id);
  return &*found;
}

void PendingRecords::Finish(uint64_t sequence, const absl::Status& result, bool durable) {
  const auto found =
      std::find_if(records_.begin(), records_.end(),
                   [sequence](const Record& record) { return record.event.sequence == sequence; });
  LT_CHECK(found != records_.end() && !found->result.has_value());
  found->result = result;
  found->durable = durable;
}

std::vector<PendingRecords::Record> PendingRecords::TakeDone() {
  std::vector<Record> done;
  while (!records_.empty() && records_.front().result.has_value()) {
    done.push_back(std::move(records_.front()));
    records_.pop_front();
  }
  return done;
}

size_t PendingRecords::waiting() const {
  size_t waiting = 0;
  for (const Record& record : records_) waiting += record.waiting.size();
  return waiting;
}

}  // namespace longtake
