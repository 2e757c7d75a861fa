// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A listening Unix socket: its file's permissions say who may connect, and the system says who did.
// Free functions; any thread, but opening waits for the disk.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/status_macros.h"

namespace longtake {

// "unix:PATH", as gRPC's clients write it.
bool IsUnixAddress(const std::string& address);

// The file of a listening socket. It goes with this object, unless another one has taken its place.
class SocketFile {
 public:
  SocketFile(std::string path, const struct stat& file)
      : path_(std::move(path)), device_(file.st_dev), inode_(file.st_ino) {}
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  ~SocketFile();

 private:
  const std::string path_;
  const dev_t device_;
  const ino_t inode_;
};

struct UnixListener {
  Fd socket;  // listening, non-blocking
  std::unique_ptr<SocketFile> file;
};

// The path is absolute and has at most 107 bytes, else INVALID_ARGUMENT. The file has the mode from
// the first moment on, whatever the umask, or less. A socket there to which nobody listens is
// removed, as a server that was killed leaves it.
//
// UNAVAILABLE: somebody listens there, it is no socket, or the system refuses. The message names
// the address.
absl::StatusOr<UnixListener> OpenUnixSocket(const std::string& address, mode_t mode);

// Who is at the other end of an accepted connection, as the system says it: "unix:uid=1000".
std::string UnixPeer(const Fd& connection);

}  // namespace longtake
