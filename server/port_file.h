// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A file that names a port of a server that lives. The server holds a lock on it, which the system
// lets go with the process, so that the file of one that was killed can be told from that of one
// that is there.
//
// Any thread: a server may end while it begins to serve.
#pragma once

#include <string>
#include <utility>

#include "base/fd.h"
#include "base/mutex.h"
#include "base/status_macros.h"

namespace longtake {

class PortFile {
 public:
  // An empty path is no file: nothing happens.
  explicit PortFile(std::string path) : path_(std::move(path)) {}
  PortFile(const PortFile&) = delete;
  PortFile& operator=(const PortFile&) = delete;

  // Removes the file of a server that is gone.
  void RemoveStale() const;
  // Whoever reads it sees the whole of it. An earlier file is replaced.
  absl::Status Write(int port) ABSL_LOCKS_EXCLUDED(mutex_);
  // Removes what was written, unless another server has replaced it; nothing is written afterwards.
  void Remove() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::string path_;
  Mutex mutex_;
  Fd file_ ABSL_GUARDED_BY(mutex_);  // locked
  bool removed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace longtake
