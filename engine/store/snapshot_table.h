// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The rows of snapshots, and which bulk files they name: a file that no row names is garbage. A
// damaged row costs a longer way back and is no reason to refuse anything.
//
// Changes belong into a transaction. Errors as the database's. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "storage/database/database.h"

namespace longtake {

// Of tables that a new database gets with the sessions'.
extern const char kSnapshotSchema[];

struct SnapshotRow {
  int64_t session = 0;  // its number
  int64_t chunk = 0;
  std::string body = {};  // engine/store/snapshot.h
};

class SnapshotTable {
 public:
  // How many of a session stay: the newest, and one more should that be damaged.
  static constexpr size_t kKept = 2;

  static absl::StatusOr<std::unique_ptr<SnapshotTable>> Open(Database& database);

  struct Found {
    std::vector<SnapshotRow> rows;  // the newest first
    std::vector<int64_t> damaged;   // chunks of those that do not prove themselves
  };
  absl::StatusOr<Found> Read(int64_t session);
  // One of the same chunk is replaced; those beyond kKept go, but for the one with which history
  // begins (0: with the session), and those before it.
  absl::Status Put(const SnapshotRow& row, const std::set<std::string>& files, int64_t base);
  // Those of the parent that lie at this chunk or before are the fork's, too.
  absl::Status Inherit(int64_t parent, int64_t chunk, int64_t fork, int64_t base);
  // Those later than the chunk go.
  absl::Status CutAt(int64_t session, int64_t chunk);
  // Those earlier than the chunk go.
  absl::Status RemoveBefore(int64_t session, int64_t chunk);
  // All of the session's go.
  absl::Status Remove(int64_t session) { return CutAt(session, -1); }
  // All that name this file go.
  absl::Status RemoveNaming(const std::string& file);
  // The files that some row names.
  absl::StatusOr<std::set<std::string>> Files();
  absl::StatusOr<bool> IsNamed(const std::string& file);
  // Whether by one with which a session's history begins, which must stay.
  absl::StatusOr<bool> IsNeeded(const std::string& file);
  // Files that rows named which went since the last call.
  std::set<std::string> TakeDropped() { return std::exchange(dropped_, {}); }

 private:
  explicit SnapshotTable(Database& database) : database_(database) {}
  absl::Status Prepare();
  absl::Status Remove(int64_t session, int64_t chunk);
  absl::StatusOr<std::vector<int64_t>> Chunks(int64_t session);  // the latest first
  absl::StatusOr<std::set<std::string>> FilesOf(int64_t session, int64_t chunk);

  Database& database_;
  std::set<std::string> dropped_;
  std::optional<Statement> read_;
  std::optional<Statement> chunks_;
  std::optional<Statement> put_;
  std::optional<Statement> put_file_;
  std::optional<Statement> files_of_;
  std::optional<Statement> remove_;
  std::optional<Statement> remove_files_;
  std::optional<Statement> is_named_;
  std::optional<Statement> is_needed_;
  absl::StatusOr<bool> Finds(Statement& statement, const std::string& file);
};

}  // namespace longtake
