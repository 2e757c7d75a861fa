// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/tcp_bytes.h"

#include <linux/tcp.h>  // glibc's own struct ends before the counters
#include <netinet/in.h>
#include <sys/socket.h>

namespace longtake {

TcpBytes TcpBytesOf(int socket) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  return {.received = info.tcpi_bytes_received, .acknowledged = info.tcpi_bytes_acked};
}

}  // namespace longtake
