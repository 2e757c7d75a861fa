// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A file that names a port of a server that lives. The server holds a lock on it, which the system
// lets go with the process, so that the file of one that was killed can be told from that of one
// that is there.
//
// One thread at a time.
#pragma once

#include <string>
#include <utility>

#include "base/fd.h"
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
  absl::Status Write(int port);
  // Removes what was written, unless another server has replaced it.
  void Remove();

 private:
  const std::string path_;
  Fd file_;  // locked
};

}  // namespace longtake
