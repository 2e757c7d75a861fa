// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The listening sockets of an address HOST:PORT or unix:PATH. Free functions; any thread, but they
// may ask the name service and wait for it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/status_macros.h"
#include "server/unix_socket.h"

namespace longtake {

struct ListenSockets {
  std::vector<Fd> sockets;           // listening, non-blocking; one for each address of the host
  int port = 0;                      // of all of them; 0: a Unix socket
  std::unique_ptr<SocketFile> file;  // of a Unix socket, else null
};

// host is a name, an IPv4 address or an IPv6 address in brackets; "0.0.0.0" is all of IPv4, "[::]"
// all of both kinds. Port 0 takes a port that is free on all addresses of the host. A name's
// addresses that this machine does not have are left out as long as one remains. For unix:PATH see
// OpenUnixSocket; mode is its file's.
//
// INVALID_ARGUMENT: the text or the name. UNAVAILABLE: taken, not allowed, not an address of this
// machine. The message names the address.
absl::StatusOr<ListenSockets> OpenListenSockets(const std::string& address, mode_t mode = 0600);

// Whether only this machine can reach the address. A name that cannot be resolved may be reached
// from anywhere.
bool IsLoopback(const std::string& address);

}  // namespace longtake
