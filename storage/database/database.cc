// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/database/database.h"

#include <sqlite3.h>

namespace longtake {
namespace {

// Pages in the log from which a commit moves them into the database: 4 MiB.
constexpr int kCheckpointPages = 1000;

struct Pragma {
  const char* set;   // as SQL writes it
  const char* name;  // what is asked afterwards
  const char* value;
};

// In this order: the log is used without shared memory where the exclusive mode was there before
// the file was first read, which asking for a vacuum mode does; and the first page fixes that mode.
constexpr Pragma kPragmas[] = {
    {"locking_mode=EXCLUSIVE", "locking_mode", "exclusive"},
    {"auto_vacuum=INCREMENTAL", "auto_vacuum", "2"},
    {"journal_mode=WAL", "journal_mode", "wal"},
    {"synchronous=FULL", "synchronous", "2"},
    {"trusted_schema=OFF", "trusted_schema", "0"},
    {"cell_size_check=ON", "cell_size_check", "1"},
    {"foreign_keys=ON", "foreign_keys", "1"},
    {"temp_store=MEMORY", "temp_store", "2"},
    {"mmap_size=0", "mmap_size", "0"},
    {"busy_timeout=0", "busy_timeout", "0"},
};

struct Switch {
  int option;
  const char* name;
  int value;
};

// Neither SQL nor a damaged schema can write to system tables or load code; a misspelt column in
// double quotes is an error, not a text.
constexpr Switch kSwitches[] = {
    {SQLITE_DBCONFIG_DEFENSIVE, "DEFENSIVE", 1},
    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, "ENABLE_LOAD_EXTENSION", 0},
    {SQLITE_DBCONFIG_DQS_DML, "DQS_DML", 0},
    {SQLITE_DBCONFIG_DQS_DDL, "DQS_DDL", 0},
};

// SQLite's own checkpoint after a commit keeps its errors to itself, and would sync again what
// failed to be synced. All but a failed sync leaves the log whole, and the next commit tries again.
int CheckpointAfterCommit(void* connection, sqlite3* handle, const char* name, int pages) {
  if (pages < kCheckpointPages) return SQLITE_OK;
  const int result =
      sqlite3_wal_checkpoint_v2(handle, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (result != SQLITE_OK) {
    // Notes a failed sync. Of a hook's result SQLite would only say that there was one.
    static_cast<Connection*>(connection)->Failed(result, "checkpoint").IgnoreError();
  }
  return SQLITE_OK;
}

absl::Status SetSwitches(Connection& connection) {
  for (const Switch& each : kSwitches) {
    int now = -1;
    sqlite3_db_config(connection.handle(), each.option, each.value, &now);
    if (now != each.value) return connection.Mistake(each.name, "SQLite did not take the setting");
  }
  sqlite3_limit(connection.handle(), SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_wal_hook(connection.handle(), CheckpointAfterCommit, &connection);
  return absl::OkStatus();
}

absl::StatusOr<std::string> Ask(Database& database, const Pragma& pragma) {
  LT_ASSIGN_OR_RETURN(Statement statement, database.Prepare(std::string("PRAGMA ") + pragma.name));
  LT_ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? std::string(statement.Text(0)) : "nothing";
}

absl::Status SetPragmas(Database& database) {
  for (const Pragma& pragma : kPragmas) {
    // What is so already stays untouched: setting a vacuum mode writes to the file.
    LT_ASSIGN_OR_RETURN(const std::string before, Ask(database, pragma));
    if (before == pragma.value) continue;
    LT_RETURN_IF_ERROR(database.Execute(std::string("PRAGMA ") + pragma.set));
  }
  for (const Pragma& pragma : kPragmas) {
    LT_ASSIGN_OR_RETURN(const std::string value, Ask(database, pragma));
    if (value == pragma.value) continue;
    return absl::FailedPreconditionError(database.path() + ": PRAGMA " + pragma.name + " is " +
                                         value + ", must be " + pragma.value);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const DatabaseOptions& options) {
  // SQLite takes these names for databases without a file.
  if (options.path.empty() || options.path[0] == ':') {
    return absl::InvalidArgumentError("database path '" + options.path + "': not a file's name");
  }
  auto connection = std::make_unique<Connection>(options.path);
  LT_RETURN_IF_ERROR(connection->Open(options.vfs));
  // What fails to open is left as it was found.
  connection->set_checkpoint_on_close(false);
  LT_RETURN_IF_ERROR(SetSwitches(*connection));
  std::unique_ptr<Database> database(new Database(std::move(connection), options.vfs));
  LT_RETURN_IF_ERROR(SetPragmas(*database));
  database->connection_->set_checkpoint_on_close(true);
  return database;
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(connection_->handle()) == 0; }

int64_t Database::changes() const { return sqlite3_changes64(connection_->handle()); }

absl::Status Database::CopyTo(const std::string& path) {
  Connection copy(path);
  LT_RETURN_IF_ERROR(copy.Open(vfs_));
  copy.set_checkpoint_on_close(false);
  sqlite3_backup* backup =
      sqlite3_backup_init(copy.handle(), "main", connection_->handle(), "main");
  if (backup == nullptr) return copy.Failed(sqlite3_extended_errcode(copy.handle()), "copy");
  sqlite3_backup_step(backup, /*nPage=*/-1);  // finish tells how it went
  const int result = sqlite3_backup_finish(backup);
  return result == SQLITE_OK ? absl::OkStatus() : copy.Failed(result, "copy");
}

absl::Status Database::Commit() {
  LT_RETURN_IF_ERROR(connection_->failed_sync());
  const int result = sqlite3_exec(connection_->handle(), "COMMIT", nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : connection_->Failed(result, "COMMIT");
}

absl::Status Database::Execute(const std::string& sql) {
  LT_RETURN_IF_ERROR(connection_->failed_sync());
  const int result = sqlite3_exec(connection_->handle(), sql.c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? connection_->failed_sync() : connection_->Failed(result, sql);
}

absl::StatusOr<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* prepared = nullptr;
  const char* rest = nullptr;
  const int result =
      sqlite3_prepare_v3(connection_->handle(), sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &prepared, &rest);
  if (result != SQLITE_OK) return connection_->Failed(result, sql);
  if (prepared == nullptr) return connection_->Mistake(sql, "no statement");
  Statement statement(*connection_, prepared);
  const std::string_view behind = sql.substr(static_cast<size_t>(rest - sql.data()));
  if (behind.find_first_not_of(" \n") == std::string_view::npos) return statement;
  return connection_->Mistake(sql, "more than one statement");
}

}  // namespace longtake
