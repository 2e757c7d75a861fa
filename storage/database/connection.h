// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a database and its statements share: the handle, the words of an error, and the memory of a
// failed sync. After that one nobody knows what of the unsynced writes is on disk, and a second
// sync would say ok without having brought them there: so nothing is written or synced any more,
// while reading goes on. Used by this folder alone. One thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/status_macros.h"

struct sqlite3;

namespace longtake {

class Connection {
 public:
  explicit Connection(std::string path) : path_(std::move(path)) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  // No statement is left. A clean close moves the log into the database.
  ~Connection();

  // As sqlite3_open_v2; an empty vfs is SQLite's default. Once.
  absl::Status Open(const std::string& vfs);
  // Whether closing may move the log into the database, which syncs both.
  void set_checkpoint_on_close(bool checkpoint);

  sqlite3* handle() const { return handle_; }
  const std::string& path() const { return path_; }
  // OK, or the first sync that failed.
  const absl::Status& failed_sync() const { return failed_sync_; }

  // The error of a call that has just returned this result, when asked to do what. Notes a failed
  // sync; SQLite has taken back the transaction in which it happened.
  absl::Status Failed(int result, std::string_view what);
  // The same for what SQLite has no result for.
  absl::Status Mistake(std::string_view what, std::string_view message) const;

 private:
  sqlite3* handle_ = nullptr;
  std::string path_;
  absl::Status failed_sync_;
};

}  // namespace longtake
