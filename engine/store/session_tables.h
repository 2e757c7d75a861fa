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
#include <set>
#include <string>
#include <utility>
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
  int64_t base = 0;                    // as in StoredSession
  int64_t first_kept = 0;
  friend bool operator==(const SessionRow&, const SessionRow&) = default;
};

// Where latents lie that are too large for a row: an extent of a bulk file, whose bytes and hash
// the record has.
struct LatentPlace {
  std::string file;
  uint64_t offset = 0;
  uint32_t table_crc = 0;
};

// How far a chain of records was read.
struct ChainEnd {
  int64_t records = 0;
  Hash128 link = {};  // of the last of them
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
  // Pages of the database that nothing is in; GiveBack makes its file shorter by some of them.
  absl::StatusOr<int64_t> FreePages();
  absl::Status GiveBack(int64_t pages);

  struct Found {
    std::vector<SessionRow> sessions;  // in order of creation
    std::vector<SessionRow> hidden;    // gone, and kept for their forks
    std::vector<SessionRow> damaged;  // that do not prove themselves: nothing of them is to be used
  };
  absl::StatusOr<Found> Sessions();
  // The first whose number is above this one, hidden or not.
  struct FoundRow {
    SessionRow row;
    bool damaged = false;  // it does not prove itself; only its number is known
    bool hidden = false;   // as in Found
  };
  absl::StatusOr<std::optional<FoundRow>> Next(int64_t number);
  // A new one; row.number is set.
  absl::Status Insert(SessionRow& row);
  absl::Status Update(const SessionRow& row);
  // With all that is its; but its records and latents stay, under no id, as long as there are forks
  // of it. By how much the bytes grow that such hidden sessions have: those whose last fork this
  // was go with it.
  absl::StatusOr<int64_t> Remove(const SessionRow& row);

  // The next record of its chain; the row is changed, and written by Update.
  absl::Status Append(SessionRow& row, const RecordBytes& record);
  // The session that its records tell of, the whole chain verified against the row. DATA_LOSS also
  // for what it was forked from.
  absl::StatusOr<StoredSession> Read(const SessionRow& row);
  // Records of a session's chain, verified, from at up to this number; at is moved there.
  absl::StatusOr<std::vector<RecordBytes>> ReadChain(int64_t number, int64_t end, ChainEnd& at);

  // The record of its creation, verified.
  absl::StatusOr<RecordBytes> FirstRecord(const SessionRow& row);

  // Beside the record that is appended next, which names them.
  absl::Status PutLatents(SessionRow& row, const Latents& latents);
  // DATA_LOSS when they are not those that the record names.
  absl::StatusOr<Latents> GetLatents(const StoredLatents& stored);
  // The same of what lies in a file.
  absl::Status PutLatentPlace(SessionRow& row, const LatentPlace& place, uint64_t bytes);
  absl::StatusOr<std::optional<LatentPlace>> FindLatentPlace(const StoredLatents& stored);
  // The files that some row names.
  absl::StatusOr<std::set<std::string>> LatentFileNames();
  // Numbers of the sessions that were removed with all that was theirs since the last call.
  std::vector<int64_t> TakeRemoved() { return std::exchange(removed_, {}); }

 private:
  explicit SessionTables(Database& database) : database_(database) {}
  absl::Status Prepare();
  absl::StatusOr<bool> HasForks(int64_t number);
  // Of a row that a session must have: damage, unless the session is not there either. While its
  // disk fails, SQLite may take a database for one without a log, and read what was there long ago.
  absl::Status Missing(int64_t number, const std::string& what);
  // The hidden session of this number; nothing when there is none, or its row is damaged.
  absl::StatusOr<std::optional<SessionRow>> FindHidden(int64_t number);
  absl::Status Hide(SessionRow row);
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
  std::optional<Statement> fork_;
  std::optional<Statement> next_;
  std::optional<Statement> put_latents_;
  std::optional<Statement> get_latents_;
  std::optional<Statement> put_place_;
  std::optional<Statement> find_place_;
  std::vector<int64_t> removed_;
};

}  // namespace longtake
