// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One prepared SQL statement, to be run as often as wanted. Parameters count from 1, columns from
// 0.
//
// Errors name the database's path and the SQL, never what was bound: RESOURCE_EXHAUSTED (disk
// full), UNAVAILABLE (I/O error), DATA_LOSS (SQLite found damage), FAILED_PRECONDITION (locked),
// ALREADY_EXISTS (a constraint), otherwise INTERNAL. After a sync that failed every statement that
// would write returns that error; reading goes on. The thread of its database, which outlives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "base/status_macros.h"
#include "storage/database/connection.h"

struct sqlite3_stmt;

namespace longtake {

class Statement {
 public:
  Statement(Statement&& other) noexcept
      : connection_(other.connection_),
        statement_(std::exchange(other.statement_, nullptr)),
        bound_(other.bound_) {}
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  // Copied; until the next Reset. A bind that fails is told by the next Step or Run.
  void Bind(int index, int64_t value);
  void Bind(int index, std::string_view text);
  void BindBlob(int index, std::span<const std::byte> bytes);
  void BindNull(int index);
  // What the row of another statement, of any database, has in this column, as it is.
  void BindColumn(int index, const Statement& from, int column);

  // True: there is a row. After false or an error the statement is as after Reset.
  absl::StatusOr<bool> Step();
  // Of the row; text and bytes are valid until the next Step or Reset. What has another type is
  // converted as SQLite does; NULL is 0 or empty.
  int64_t Int(int column);
  std::string_view Text(int column);
  std::span<const std::byte> Blob(int column);
  bool IsNull(int column);
  int columns() const;

  // To the end, whatever rows there are; then Reset.
  absl::Status Run();
  // To the start again, nothing bound.
  void Reset();

 private:
  friend class Database;
  Statement(Connection& connection, sqlite3_stmt* statement)
      : connection_(&connection), statement_(statement) {}
  absl::Status Check();

  Connection* connection_;
  sqlite3_stmt* statement_;
  int bound_ = 0;  // SQLite's result of the first bind that failed
};

}  // namespace longtake
