// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The tables of the store: sessions, their records, and latents beside them. Every row proves
// itself by a checksum, which a database that was damaged on disk does not do for us: it returns
// flipped bytes as they are. A session's records are chained, so that none can be missing, changed
// or out of order without being seen; the session's own row holds the chain's end.
//
// Changes belong between Begin and Commit. Errors: DATA_LOSS names the row that does not prove
// itself, NOT_FOUND the session; otherwise as the database's. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "base/status_macros.h"
#include "engine/store/record.h"
#include "engine/store/stored_session.h"
#include "storage/database/database.h"

namespace longtake {

// A session's own row.
struct SessionRow {
  int64_t number = 0;  // the store's, never used again
  std::string id = {};
  int64_t create_wall_nanos = 0;
  // When it is forgotten; empty while somebody may use it.
  std::optional<int64_t> expire_wall_nanos = {};
  int64_t records = 0;  // in its chain
  Hash128 link = {};    // the chain's end
  int64_t chunks = 0;   // settled
  int64_t decoded = 0;  // chunks
  int64_t end_frame = 0;
  int64_t bytes = 0;  // of its records and latents
  bool ended = false;
  int64_t epoch = 0;                   // how often it was rewound
  std::optional<int64_t> parent = {};  // number of the session it was forked from
  friend bool operator==(const SessionRow&, const SessionRow&) = default;
};

class SessionTables {
 public:
  // The tables of this database, made if it has none. FAILED_PRECONDITION for a database of a
  // version that this program does not know.
  static absl::StatusOr<std::unique_ptr<SessionTables>> Open(Database& database);

  absl::Status Begin();
  absl::Status Commit();
  absl::Status Rollback();
  // Writes what is there already.
  absl::Status Probe();

  struct Found {
    std::vector<SessionRow> sessions;  // in order of creation
    std::vector<SessionRow> hidden;    // gone, and kept for their forks
    std::vector<int64_t> damaged;      // numbers of those whose rows do not prove themselves
  };
  absl::StatusOr<Found> Sessions();
  // A new one; row.number is set.
  absl::Status Insert(SessionRow& row);
  absl::Status Update(const SessionRow& row);
  // With all that is its; but its records and latents stay, under no id, as long as there are forks
  // of it.
  absl::Status Remove(const SessionRow& row);

  // The next record of its chain; the row is changed, and written by Update.
  absl::Status Append(SessionRow& row, const RecordBytes& record);
  // The session that its records tell of, the whole chain verified against the row. DATA_LOSS also
  // for what it was forked from.
  absl::StatusOr<StoredSession> Read(const SessionRow& row);

  // The record of its creation, verified.
  absl::StatusOr<RecordBytes> FirstRecord(const SessionRow& row);

  // Beside the record that is appended next, which names them.
  absl::Status PutLatents(SessionRow& row, const Latents& latents);
  // DATA_LOSS when they are not those that the record names.
  absl::StatusOr<Latents> GetLatents(const StoredLatents& stored);

 private:
  explicit SessionTables(Database& database) : database_(database) {}
  absl::Status Prepare();
  // The records of a chain up to this end, verified.
  absl::StatusOr<std::vector<RecordBytes>> Chain(int64_t number, int64_t records,
                                                 const Hash128& link);
  absl::StatusOr<StoredSession> Read(const std::string& id, int64_t number, int64_t records,
                                     const Hash128& link);

  Database& database_;
  std::optional<Statement> insert_;
  std::optional<Statement> update_;
  std::optional<Statement> append_;
  std::optional<Statement> records_;
  std::optional<Statement> first_;
  std::optional<Statement> put_latents_;
  std::optional<Statement> get_latents_;
};

}  // namespace longtake
