// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/peer.h"

#include <gtest/gtest.h>

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

TEST(PeerTest, WhatIsNoAddressStaysAsItIs) {
  for (const char* peer : {"unix:/run/longtake.sock", "unix:", "", "ipv6:", "ipv6:nonsense"}) {
    EXPECT_EQ(PeerNetwork(peer), peer);
  }
}

}  // namespace
}  // namespace longtake
