// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a session's records say together: all that was promised to its client, and all that it
// takes, beside the model, to make every chunk of it again. A plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/store/record.h"

namespace longtake {

struct StoredEvent {
  AcceptedEvent accepted;  // without tokens
  std::optional<int64_t> applied_chunk = {};
  bool shown = false;  // as in EventHolds
};

// Where latents lie: beside a record of a session.
struct StoredLatents {
  int64_t session = 0;  // its number
  int64_t record = 0;
  LatentsRef ref = {};
  friend bool operator==(const StoredLatents&, const StoredLatents&) = default;
};

struct StoredSession {
  std::string id;
  SessionCreated created = {};
  std::vector<StoredEvent> events = {};  // by rising numbers
  std::vector<size_t> applied = {};  // indices of events, in the order in which they were applied
  std::optional<StoredLatents> start = {};  // what the take begins with, once that is latents
  std::vector<StoredLatents> settled = {};  // by chunk, from 0 on; nowhere before first_kept
  std::vector<ChunkDecoded> decoded = {};   // by chunk, from 0 on
  uint64_t next_sequence = 1;               // of the next event
  int64_t epoch = 0;                        // how often it was rewound
  bool ended = false;
  // Where not all was kept: it can go on, be rewound and forked from this chunk on alone, and there
  // are no latents of chunks before the first.
  int64_t base = 0;
  int64_t first_kept = 0;
  // Some of it was made in another numerics profile than the rest.
  bool numerics_changed = false;
  int64_t generation = 0;  // of forks

  // As it was before this chunk, which is at most the next to be settled: what was asked and did
  // not hold by then is forgotten, the numbers of events are not used again.
  void CutAt(int64_t chunk);
  // What record number `number` of session `session` adds. DATA_LOSS when it does not follow from
  // those before.
  absl::Status Add(int64_t session, int64_t number, Record record);
};

// What it was forked from, if it was; DATA_LOSS when the record is damaged.
absl::StatusOr<std::optional<SessionForked>> ForkOf(const std::vector<RecordBytes>& records);

// All records of a session, in order; parent is what it was forked from, with its records so far,
// if it was. DATA_LOSS names the record that does not fit.
absl::StatusOr<StoredSession> ReadStoredSession(const std::string& id, int64_t session,
                                                const std::vector<RecordBytes>& records,
                                                const StoredSession* parent);

}  // namespace longtake
