// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/port_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <span>

#include "absl/strings/str_cat.h"
#include "base/file_system.h"

namespace longtake {
namespace {

// Not one that somebody else holds, nor a pipe.
Fd OpenLocked(const std::string& path) {
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (file.valid() && flock(file.get(), LOCK_EX | LOCK_NB) != 0) file.Reset();
  return file;
}

bool IsAt(const Fd& file, const std::string& path) {
  struct stat mine{};
  struct stat there{};
  return fstat(file.get(), &mine) == 0 && lstat(path.c_str(), &there) == 0 &&
         mine.st_dev == there.st_dev && mine.st_ino == there.st_ino && S_ISREG(there.st_mode);
}

}  // namespace

void PortFile::RemoveStale() const {
  if (path_.empty()) return;
  const Fd file = OpenLocked(path_);
  if (file.valid() && IsAt(file, path_)) unlink(path_.c_str());
}

absl::Status PortFile::Write(int port) {
  MutexLock lock(mutex_);
  if (path_.empty() || removed_) return absl::OkStatus();
  const std::string text = absl::StrCat(port, "\n");
  LT_RETURN_IF_ERROR(WriteFileAtomically(PosixFileSystem(), path_, std::as_bytes(std::span(text))));
  file_ = OpenLocked(path_);
  return absl::OkStatus();
}

void PortFile::Remove() {
  MutexLock lock(mutex_);
  removed_ = true;
  if (file_.valid() && IsAt(file_, path_)) unlink(path_.c_str());
  file_.Reset();
}

}  // namespace longtake
