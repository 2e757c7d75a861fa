// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// An SQLite database with the settings a durable store needs, and no table of its own. A commit
// that returned OK is on disk: every one syncs the log (`path-wal`). Nobody else can open the file
// meanwhile. What SQLite does not find (a flipped byte in a row, a flipped byte in the log, after
// which it drops the later commits) must be found by who uses it: rows need checksums, and
// storage/database/wal_scan.h looks at the log before it is opened.
//
// Errors as in storage/database/statement.h. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status_macros.h"
#include "storage/database/statement.h"

namespace longtake {

struct DatabaseOptions {
  std::string path = {};
  std::string vfs = {};  // empty: SQLite's own for Unix; tests have others
};

class Database {
 public:
  // Opens or creates the file, in a directory that exists, and makes every setting or fails.
  // FAILED_PRECONDITION while another has it open; what was created without incremental vacuum is
  // refused.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const DatabaseOptions& options);

  const std::string& path() const { return connection_->path(); }
  // Whether a BEGIN waits for its COMMIT: an error may have taken the transaction back.
  bool in_transaction() const;
  // OK, or the first sync that failed: from then on nothing is written.
  const absl::Status& failed_sync() const { return connection_->failed_sync(); }
  // What is committed, into a new file, also after a sync that failed. Its bytes are durable then,
  // its name is not.
  absl::Status CopyTo(const std::string& path);
  // Rows that the last INSERT, UPDATE or DELETE touched.
  int64_t changes() const;

  // Ends a transaction. OK: it is on disk, whatever became of a checkpoint behind it, of which
  // failed_sync tells.
  absl::Status Commit();
  // SQL without rows that are wanted; several statements may follow one another.
  absl::Status Execute(const std::string& sql);
  // One statement, which must end before the database does.
  absl::StatusOr<Statement> Prepare(std::string_view sql);

 private:
  Database(std::unique_ptr<Connection> connection, std::string vfs)
      : connection_(std::move(connection)), vfs_(std::move(vfs)) {}

  std::unique_ptr<Connection> connection_;
  const std::string vfs_;
};

}  // namespace longtake
