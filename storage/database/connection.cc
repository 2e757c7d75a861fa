// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/database/connection.h"

#include <sqlite3.h>

namespace longtake {
namespace {

absl::StatusCode CodeOf(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:  // what an I/O error at opening a file becomes
      return absl::StatusCode::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kFailedPrecondition;
    case SQLITE_CONSTRAINT:
      return absl::StatusCode::kAlreadyExists;
    default:
      return absl::StatusCode::kInternal;
  }
}

bool IsFailedSync(int result) {
  return result == SQLITE_IOERR_FSYNC || result == SQLITE_IOERR_DIR_FSYNC;
}

}  // namespace

Connection::~Connection() {
  if (handle_ == nullptr) return;
  if (!failed_sync_.ok()) set_checkpoint_on_close(false);
  LT_CHECK(sqlite3_close(handle_) == SQLITE_OK);  // else a statement is left
}

absl::Status Connection::Open(const std::string& vfs) {
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                         SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  const int result =
      sqlite3_open_v2(path_.c_str(), &handle_, kFlags, vfs.empty() ? nullptr : vfs.c_str());
  return result == SQLITE_OK ? absl::OkStatus() : Failed(result, "open");
}

void Connection::set_checkpoint_on_close(bool checkpoint) {
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, checkpoint ? 0 : 1, nullptr);
}

absl::Status Connection::Failed(int result, std::string_view what) {
  // The handle's message is the last call's; where it speaks of another result, the result's own.
  const bool told = handle_ != nullptr && sqlite3_extended_errcode(handle_) == result;
  std::string message = told ? sqlite3_errmsg(handle_) : sqlite3_errstr(result);
  // The one kind of damage that SQLite has no code for: the file's header names another format.
  const bool damaged = told && message == "unsupported file format";
  const absl::StatusCode code = damaged ? absl::StatusCode::kDataLoss : CodeOf(result);
  message += " (SQLite " + std::to_string(result) + ")";
  // Of damage it matters where it is, not what came upon it.
  const std::string doing = code == absl::StatusCode::kDataLoss ? "damaged" : std::string(what);
  const absl::Status status(code, path_ + ": " + doing + ": " + message);
  if (IsFailedSync(result) && failed_sync_.ok()) failed_sync_ = status;
  return status;
}

absl::Status Connection::Mistake(std::string_view what, std::string_view message) const {
  return absl::InternalError(path_ + ": " + std::string(what) + ": " + std::string(message));
}

}  // namespace longtake
