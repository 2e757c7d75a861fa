// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/descriptors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"

namespace longtake {
namespace {

TEST(Descriptors, TheSoftLimitIsRaisedToTheHardOne) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const DescriptorLimit raised = RaiseDescriptorLimit();
  EXPECT_EQ(raised.soft, 64);
  EXPECT_GE(raised.now, static_cast<int64_t>(std::min<rlim_t>(before.rlim_max, 1 << 30)));
  rlimit after{};
  getrlimit(RLIMIT_NOFILE, &after);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(Descriptors, OneMoreOpenIsOneLessFree) {
  const int64_t before = FreeDescriptors();
  const Fd one(dup(0));
  EXPECT_EQ(FreeDescriptors(), before - 1);
}

TEST(Descriptors, ConnectionsFollowFromWhatIsFree) {
  EXPECT_EQ(ConnectionsAllowed(0, 100'000, 32).value(), kConnectionsMaxDefault);
  EXPECT_EQ(ConnectionsAllowed(0, 52, 32).value(), 10);
  EXPECT_EQ(ConnectionsAllowed(5'000, 100'000, 32).value(), 5'000);
  const absl::Status too_many = ConnectionsAllowed(20, 52, 32).status();
  EXPECT_EQ(too_many.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(too_many.message()),
              testing::HasSubstr("connections-max: 20 connections need 72 file descriptors, 52"));
  EXPECT_FALSE(ConnectionsAllowed(0, 32, 32).ok());
}

}  // namespace
}  // namespace longtake
