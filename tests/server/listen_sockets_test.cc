// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/listen_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/loopback.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

std::string At(const std::string& host, int port) { return host + ":" + std::to_string(port); }

TEST(ListenSockets, ATakenPortIsRefused) {
  const auto first = OpenListenSockets("127.0.0.1:0");
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_GT(first->port, 0);
  const auto second = OpenListenSockets(At("127.0.0.1", first->port));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(At("127.0.0.1", first->port)));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another program"));
}

TEST(ListenSockets, ANameMayHaveSeveralAddressesWithOnePort) {
  const auto opened = OpenListenSockets("localhost:0");
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(Connect(NewSocket(), opened->port));
  const auto on_ipv6 = OpenListenSockets(At("[::1]", opened->port));
  if (opened->sockets.size() > 1) {
    EXPECT_FALSE(on_ipv6.ok()) << "localhost has it";
  }
  EXPECT_FALSE(OpenListenSockets(At("127.0.0.1", opened->port)).ok());
}

TEST(ListenSockets, AnAddressOfBothKindsTakesBoth) {
  const auto opened = OpenListenSockets("[::]:0");
  if (!opened.ok()) GTEST_SKIP() << opened.status();  // no IPv6 on this machine
  EXPECT_TRUE(Connect(NewSocket(), opened->port));
}

TEST(ListenSockets, AddressesThatAreNoneAreRefusedByName) {
  for (const std::string address :
       {"127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "::1:0", "no.such.host.invalid:0"}) {
    const auto opened = OpenListenSockets(address);
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kInvalidArgument) << address;
  }
  const auto elsewhere = OpenListenSockets("192.0.2.1:0");
  EXPECT_EQ(elsewhere.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(elsewhere.status().message()), HasSubstr("192.0.2.1:0"));
}

TEST(ListenSockets, AcceptedConnectionsAreCheckedForLifeAndSendAtOnce) {
  const auto opened = OpenListenSockets("127.0.0.1:0").value();
  const Fd client = ConnectTo(opened.port);
  const Fd accepted(accept(opened.sockets[0].get(), nullptr, nullptr));
  ASSERT_TRUE(accepted.valid());
  int value = 0;
  socklen_t bytes = sizeof(value);
  getsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &value, &bytes);
  EXPECT_EQ(value, 1);
  getsockopt(accepted.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &bytes);
  EXPECT_EQ(value, 20'000);
}

TEST(ListenSockets, LoopbackIsKnownByAddressNotByText) {
  for (const std::string here : {"127.0.0.1:0", "127.9.9.9:1", "localhost:7", "[::1]:7",
                                 "[::ffff:127.0.0.1]:7", "unix:/x"}) {
    EXPECT_TRUE(IsLoopback(here)) << here;
  }
  for (const std::string beyond :
       {"0.0.0.0:1", "[::]:1", "192.0.2.1:1", "127.example.invalid:1", "127.0.0.1:1,0.0.0.0:1"}) {
    EXPECT_FALSE(IsLoopback(beyond)) << beyond;
  }
}

}  // namespace
}  // namespace longtake
