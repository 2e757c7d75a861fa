// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What went over a TCP connection so far, as the kernel counts it. Any thread.
#pragma once

#include <cstdint>

namespace longtake {

struct TcpBytes {
  uint64_t received = 0;
  uint64_t acknowledged = 0;  // of what was sent
};

// Zeros for what is no TCP socket.
TcpBytes TcpBytesOf(int socket);

}  // namespace longtake
