// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A directory that one process at a time works in. The file LOCK in it is locked as long as the
// object lives and says in one line who holds it, for the one that is refused; it stays behind. The
// system lets go of the lock when the process ends, however it ends. One thread at a time.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"

namespace longtake {

class DirectoryLock {
 public:
  // holder is one line for people: "host a, pid 123, 127.0.0.1:8500". FAILED_PRECONDITION, with the
  // directory and the other's line, while another holds it. The directory exists.
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> Take(FileSystem& files,
                                                             const std::string& directory,
                                                             const std::string& holder);

 private:
  explicit DirectoryLock(std::unique_ptr<File> file) : file_(std::move(file)) {}

  std::unique_ptr<File> file_;
};

}  // namespace longtake
