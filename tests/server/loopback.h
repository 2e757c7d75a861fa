// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Plain TCP clients on this machine, for tests of what listens.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <string>

#include "base/fd.h"

namespace longtake {

// Prometheus waits so long for a page by default.
inline constexpr int kClientPatienceSeconds = 10;

// A socket that waits for at most kClientPatienceSeconds.
inline Fd NewSocket() {
  Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience = {.tv_sec = kClientPatienceSeconds, .tv_usec = 0};
  setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  return client;
}

inline bool Connect(const Fd& client, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

inline Fd ConnectTo(int port) {
  Fd client = NewSocket();
  EXPECT_TRUE(Connect(client, port));
  return client;
}

inline void Send(const Fd& client, const std::string& text) {
  EXPECT_EQ(send(client.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

// Everything until the other side closes or patience ends.
inline std::string ReceiveAll(const Fd& client) {
  std::string out;
  char buffer[4096];
  for (ssize_t got = 0; (got = recv(client.get(), buffer, sizeof(buffer), 0)) > 0;) {
    out.append(buffer, static_cast<size_t>(got));
  }
  return out;
}

// Whether the other side has closed or reset it, waiting for that with patience.
inline bool IsClosed(const Fd& client) {
  char byte = 0;
  const ssize_t got = recv(client.get(), &byte, 1, 0);
  return got == 0 || (got < 0 && errno == ECONNRESET);
}

}  // namespace longtake
