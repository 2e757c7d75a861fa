// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Lets SQLite work on a FileSystem, so that a whole database runs on a disk that a test scripts. It
// behaves as SQLite's own for Unix, without locks (one connection has a file), with one difference:
// a directory that could not be synced is an error, which that one passes over.
//
// SQLite's random numbers come from the seed from here on, in the whole process. One thread.
#pragma once

#include <sqlite3.h>

#include <string>

#include "base/file_system.h"

namespace longtake {

class FileSystemVfs {
 public:
  // Registered under a name of its own, for DatabaseOptions.vfs, until it is destroyed. No database
  // is open by then.
  FileSystemVfs(FileSystem& files, uint32_t seed);
  ~FileSystemVfs();
  FileSystemVfs(const FileSystemVfs&) = delete;
  FileSystemVfs& operator=(const FileSystemVfs&) = delete;

  const std::string& name() const { return name_; }

 private:
  std::string name_;
  sqlite3_vfs vfs_ = {};
};

}  // namespace longtake
