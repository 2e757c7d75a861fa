// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/loopback.h"

#include <gtest/gtest.h>

namespace longtake {
namespace {

TEST(IsLoopbackTargetTest, KnowsThisMachine) {
  for (const char* target : {"127.0.0.1:7767",
                             "127.0.0.1",
                             "127.255.3.4:1",
                             "127.1:7767",
                             "localhost:7767",
                             "localhost",
                             "LocalHost:1",
                             "localhost.:1",
                             "a.localhost:1",
                             "[::1]:7767",
                             "[::1]",
                             "::1",
                             "[::ffff:127.0.0.1]:1",
                             "0.0.0.0:7767",
                             "[::]:7767",
                             "unix:/run/longtake.sock",
                             "unix:///run/longtake.sock",
                             "unix-abstract:longtake",
                             "dns:localhost:1",
                             "dns:///localhost:1",
                             "dns://10.0.0.1/localhost:1",
                             "ipv4:127.0.0.1:1",
                             "ipv6:[::1]:1"}) {
    EXPECT_TRUE(IsLoopbackTarget(target)) << target;
  }
}

TEST(IsLoopbackTargetTest, KnowsOthers) {
  for (const char* target :
       {"", ":7767", "10.0.0.1:7767", "128.0.0.1:1", "example.com:7767", "localhost.example.com:1",
        "notlocalhost:1", "127.0.0.1.example.com:1", "[2001:db8::1]:1", "[::2]:1",
        "[::ffff:10.0.0.1]:1", "dns:///example.com:1", "dns://127.0.0.1/example.com:1",
        "ipv4:10.0.0.1:1", "unixhost:1"}) {
    EXPECT_FALSE(IsLoopbackTarget(target)) << target;
  }
}

}  // namespace
}  // namespace longtake
