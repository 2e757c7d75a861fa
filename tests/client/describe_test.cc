// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a person reads of a session.
#include "client/describe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace longtake {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::Session Made(int64_t chunks) {
  v1::Session session;
  session.set_name("sessions/one");
  session.set_state(v1::Session::STATE_RUNNING);
  session.set_chunk_count(chunks);
  session.set_durable_through(chunks);
  return session;
}

// The word in the column ON DISK.
std::string OnDisk(const v1::Session& session) {
  const size_t column = SessionLineHeader().find("ON DISK");
  return DescribeSessionLine(session, 200).substr(column - 1, 8);
}

TEST(DescribeSessionTest, WhatIsOnDiskIsSaidWithAGapToo) {
  v1::Session session = Made(0);
  EXPECT_THAT(DescribeSession(session), HasSubstr("on disk           nothing: it ends"));
  EXPECT_EQ(OnDisk(session), "       -");
  session = Made(406);
  EXPECT_THAT(DescribeSession(session), HasSubstr("the first 406 chunks; the server's disk fails"));
  EXPECT_EQ(OnDisk(session), "     406");
  session.set_has_gap(true);
  EXPECT_THAT(DescribeSession(session), HasSubstr("the first 406 chunks; a gap since chunk 406"));
  EXPECT_EQ(OnDisk(session), " 406 gap");
  session.set_has_gap(false);
  session.set_durable(true);
  EXPECT_THAT(DescribeSession(session), HasSubstr("the first 406 chunks, and what was asked"));
  EXPECT_EQ(OnDisk(session), "     406");
}

TEST(DescribeSessionTest, ItSaysWhereHistoryBegins) {
  v1::Session session = Made(30);
  session.set_durable(true);
  EXPECT_THAT(DescribeSession(session), Not(HasSubstr("history")));
  session.set_oldest_chunk(12);
  session.set_base_chunk(20);
  const std::string text = DescribeSession(session);
  EXPECT_THAT(text, HasSubstr("oldest chunk      12, to attach at or to fetch"));
  EXPECT_THAT(text, HasSubstr("history           begins with chunk 20"));
}

TEST(DescribeSessionTest, ASnapshotThatFoundNoRoomIsTold) {
  v1::Session session = Made(3);
  EXPECT_THAT(DescribeSession(session), Not(HasSubstr("snapshot")));
  session.set_snapshot_refusal("a snapshot of 7 bytes");
  EXPECT_THAT(DescribeSession(session), HasSubstr("no snapshot       a snapshot of 7 bytes"));
}

}  // namespace
}  // namespace longtake
