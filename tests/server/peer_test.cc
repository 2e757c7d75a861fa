// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/peer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace longtake {
namespace {

TEST(PeerTest, APeerIsAnAddressWhateverItsPort) {
  EXPECT_EQ(PeerNetwork("ipv4:127.0.0.1:5000"), "127.0.0.1");
  EXPECT_EQ(PeerNetwork("ipv4:127.0.0.1:5001"), "127.0.0.1");
  EXPECT_EQ(PeerNetwork("ipv4:10.1.2.3:1"), "10.1.2.3");
}

TEST(PeerTest, OfIpv6AnOwnersNetwork) {
  EXPECT_EQ(PeerNetwork("ipv6:[2001:db8:1:2:3:4:5:6]:5000"), "2001:db8:1:2::/64");
  EXPECT_EQ(PeerNetwork("ipv6:%5B2001:db8:1:2:ffff:4:5:6%5D:5001"), "2001:db8:1:2::/64");
  EXPECT_EQ(PeerNetwork("ipv6:[::1]:5000"), "::/64");
  EXPECT_EQ(PeerNetwork("ipv6:%5Bfe80::1%25eth0%5D:5000"), "fe80::/64");
  EXPECT_EQ(PeerNetwork("ipv6:[::ffff:10.1.2.3]:5000"), "10.1.2.3") << "a socket for both";
}

// The call may come when the connection is forgotten, and must not be a peer of its own then.
TEST(PeerTest, ADescriptorIsNobodyInParticular) { EXPECT_EQ(PeerNetwork("fd:9"), "unix:"); }

TEST(PeerTest, WhatIsNoAddressStaysAsItIs) {
  for (const char* peer : {"unix:/run/longtake.sock", "unix:", "", "ipv6:", "ipv6:nonsense"}) {
    EXPECT_EQ(PeerNetwork(peer), peer);
  }
}

sockaddr_storage Address(int family, const char* text, uint16_t port) {
  sockaddr_storage out{};
  out.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    auto& in = reinterpret_cast<sockaddr_in&>(out);
    in.sin_port = htons(port);
    EXPECT_EQ(inet_pton(family, text, &in.sin_addr), 1);
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(out);
    in.sin6_port = htons(port);
    EXPECT_EQ(inet_pton(family, text, &in.sin6_addr), 1);
  }
  return out;
}

TEST(PeerTest, AConnectionHasOneNameFromSocketAndLibrary) {
  EXPECT_EQ(ConnectionName("ipv4:127.0.0.1:5000"), "127.0.0.1:5000");
  EXPECT_EQ(ConnectionName(Address(AF_INET, "127.0.0.1", 5000), 9), "127.0.0.1:5000");
  EXPECT_EQ(ConnectionName(Address(AF_INET6, "::ffff:127.0.0.1", 5000), 9), "127.0.0.1:5000");
  for (const char* peer : {"ipv6:[2001:db8::1]:5000", "ipv6:%5B2001:db8::1%5D:5000"}) {
    EXPECT_EQ(ConnectionName(peer), ConnectionName(Address(AF_INET6, "2001:db8::1", 5000), 9))
        << peer;
  }
  EXPECT_NE(ConnectionName("ipv6:[::1]:5000"), ConnectionName("ipv6:[::1]:5001"));
  sockaddr_storage local{};
  local.ss_family = AF_UNIX;
  EXPECT_EQ(ConnectionName(local, 9), ConnectionName("fd:9"));
  EXPECT_NE(ConnectionName(local, 8), ConnectionName("fd:9"));
  for (const char* peer : {"unix:/run/longtake.sock", "", "ipv6:", "ipv4:", "ipv6:nonsense"}) {
    EXPECT_EQ(ConnectionName(peer), "") << peer;
  }
}

}  // namespace
}  // namespace longtake
