// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/database/statement.h"

#include <sqlite3.h>

namespace longtake {
namespace {

// SQLite takes a null pointer for NULL, which an empty text or blob is not.
const void* NotNull(const void* data) { return data == nullptr ? "" : data; }

}  // namespace

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(connection_, other.connection_);
  std::swap(statement_, other.statement_);
  std::swap(bound_, other.bound_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::Bind(int index, int64_t value) {
  const int result = sqlite3_bind_int64(statement_, index, value);
  if (bound_ == SQLITE_OK) bound_ = result;
}

void Statement::Bind(int index, std::string_view text) {
  const int result =
      sqlite3_bind_text64(statement_, index, static_cast<const char*>(NotNull(text.data())),
                          text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (bound_ == SQLITE_OK) bound_ = result;
}

void Statement::BindBlob(int index, std::span<const std::byte> bytes) {
  const int result =
      sqlite3_bind_blob64(statement_, index, NotNull(bytes.data()), bytes.size(), SQLITE_TRANSIENT);
  if (bound_ == SQLITE_OK) bound_ = result;
}

void Statement::BindNull(int index) {
  const int result = sqlite3_bind_null(statement_, index);
  if (bound_ == SQLITE_OK) bound_ = result;
}

void Statement::BindColumn(int index, const Statement& from, int column) {
  const int result =
      sqlite3_bind_value(statement_, index, sqlite3_column_value(from.statement_, column));
  if (bound_ == SQLITE_OK) bound_ = result;
}

absl::Status Statement::Check() {
  if (bound_ != SQLITE_OK) return connection_->Failed(bound_, sqlite3_sql(statement_));
  // Only what has columns reads; SQLite counts a COMMIT among what does not write, too.
  const bool reads = sqlite3_stmt_readonly(statement_) != 0 && sqlite3_column_count(statement_) > 0;
  return reads ? absl::OkStatus() : connection_->failed_sync();
}

absl::StatusOr<bool> Statement::Step() {
  if (absl::Status status = Check(); !status.ok()) {
    Reset();
    return status;
  }
  const bool could_sync = connection_->failed_sync().ok();
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  // The words of the error first: with the reset they are gone.
  absl::Status status;
  if (result != SQLITE_DONE) status = connection_->Failed(result, sqlite3_sql(statement_));
  Reset();
  // The checkpoint behind a commit may fail without the statement.
  if (status.ok() && could_sync) status = connection_->failed_sync();
  if (status.ok()) return false;
  return status;
}

int64_t Statement::Int(int column) { return sqlite3_column_int64(statement_, column); }

std::string_view Statement::Text(int column) {
  const void* text = NotNull(sqlite3_column_text(statement_, column));
  const int bytes = sqlite3_column_bytes(statement_, column);
  return {static_cast<const char*>(text), static_cast<size_t>(bytes)};
}

std::span<const std::byte> Statement::Blob(int column) {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int count = sqlite3_column_bytes(statement_, column);
  return {static_cast<const std::byte*>(bytes), static_cast<size_t>(count)};
}

bool Statement::IsNull(int column) {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

int Statement::columns() const { return sqlite3_column_count(statement_); }

absl::Status Statement::Run() {
  while (true) {
    LT_ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) return absl::OkStatus();
  }
}

void Statement::Reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bound_ = SQLITE_OK;
}

}  // namespace longtake
