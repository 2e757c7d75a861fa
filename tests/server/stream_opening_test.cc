// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What becomes of sessions whose streams are opened and left, or cannot be opened.
#include "server/stream_opening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_reason.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

class StreamOpeningTest : public ::testing::Test {
 protected:
  static v1::StreamRequest OpenRequest() {
    v1::StreamRequest request;
    request.mutable_open()->set_session_id("mine");
    v1::SessionSpec& spec = *request.mutable_open()->mutable_spec();
    spec.set_prompt("a red circle");
    spec.set_width(48);
    spec.set_height(32);
    spec.set_media_kind(v1::MEDIA_KIND_RGB24);
    return request;
  }

  absl::StatusOr<StreamOpening> Open(const v1::StreamRequest& request) {
    return OpenStream(context_, request, {}, [] {});
  }
  bool Lives() { return engine_->FindSession("mine").ok(); }

  TestEngine engine_;
  WorkerPool workers_{1};
  CallQueue calls_{workers_, {}};
  ServerMetrics metrics_;
  ConnectionUses connections_;
  MediaFormats formats_;
  ServiceContext context_{.engine = *engine_,
                          .workers = workers_,
                          .calls = calls_,
                          .store_calls = calls_,
                          .metrics = metrics_,
                          .connections = connections_,
                          .formats = formats_,
                          .clock = engine_.clock(),
                          .defaults = {.model = "m",
                                       .fps = 16,
                                       .ttl_nanos = 1'000'000'000,
                                       .ttl_nanos_max = 1'000'000'000},
                          .model = {}};
};

TEST_F(StreamOpeningTest, ASessionThatItsMakerNeverReadIsDeleted) {
  const auto opening = Open(OpenRequest());
  ASSERT_TRUE(opening.ok()) << opening.status();
  EXPECT_TRUE(opening->made);
  EXPECT_TRUE(Lives());
  CloseUnread(context_, *opening);
  EXPECT_FALSE(Lives());
}

// Another one has come of its name: that is not the client's who left.
TEST_F(StreamOpeningTest, AndNoLaterOneOfItsName) {
  const auto first = Open(OpenRequest());
  ASSERT_TRUE(engine_->DeleteSession("mine").ok());
  const auto second = Open(OpenRequest());
  ASSERT_TRUE(second.ok() && second->made);
  CloseUnread(context_, *first);
  EXPECT_TRUE(Lives());
  CloseUnread(context_, *second);
  EXPECT_FALSE(Lives());
}

TEST_F(StreamOpeningTest, UnlessSomebodyElseReadsItBecauseTheClientAskedAgain) {
  const auto first = Open(OpenRequest());
  const auto second = Open(OpenRequest());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE(second->made);
  EXPECT_EQ(second->session, first->session);
  CloseUnread(context_, *first);
  EXPECT_TRUE(Lives()) << "the second reads it";
  CloseUnread(context_, *second);
  EXPECT_TRUE(Lives()) << "until its ttl is over";
}

TEST_F(StreamOpeningTest, WhatCannotBeAttachedToStaysAsItWas) {
  ASSERT_TRUE(Open(OpenRequest()).ok());
  v1::StreamRequest request;
  request.mutable_attach()->set_name("sessions/mine");
  request.mutable_attach()->set_next_chunk(99);
  const absl::Status status = Open(request).status();
  EXPECT_EQ(ReasonFor(status), Reason::kChunkNotHeld) << status;
  EXPECT_TRUE(Lives());
  request.mutable_attach()->set_name("sessions/other");
  EXPECT_EQ(ReasonFor(Open(request).status()), Reason::kSessionNotFound);
  request.mutable_attach()->set_name("mine");
  EXPECT_EQ(FieldOf(Open(request).status()), "attach.name");
}

TEST_F(StreamOpeningTest, WhoWasToldMoreThanThereIsTakesNobodyOver) {
  const auto first = Open(OpenRequest());
  ASSERT_TRUE(first.ok()) << first.status();
  v1::StreamRequest request;
  v1::Attach& attach = *request.mutable_attach();
  attach.set_name("sessions/mine");
  attach.set_durable_through(1);
  EXPECT_EQ(ReasonFor(Open(request).status()), Reason::kHistoryLost);
  EXPECT_TRUE(first->session->CheckReader(first->attachment).ok());
  attach.set_durable_through(-1);
  EXPECT_EQ(FieldOf(Open(request).status()), "attach.durable_through");
  attach.set_durable_through(0);
  EXPECT_TRUE(Open(request).ok());
  EXPECT_EQ(ReasonFor(first->session->CheckReader(first->attachment)), Reason::kTakenOver);
}

TEST_F(StreamOpeningTest, AnotherFirstMessageIsAnError) {
  v1::StreamRequest request;
  EXPECT_EQ(ReasonFor(Open(request).status()), Reason::kStreamProtocol);
  request.mutable_control()->set_prompt("a blue square");
  EXPECT_EQ(ReasonFor(Open(request).status()), Reason::kStreamProtocol);
}

TEST_F(StreamOpeningTest, AServerThatDrainsOpensWhatItHas) {
  ASSERT_TRUE(Open(OpenRequest()).ok());
  engine_->Drain(INT64_MAX);
  EXPECT_TRUE(Open(OpenRequest()).ok());
  v1::StreamRequest other = OpenRequest();
  other.mutable_open()->mutable_spec()->set_seed(2);
  EXPECT_EQ(ReasonFor(Open(other).status()), Reason::kSessionExists);
  other.mutable_open()->set_session_id("other");
  EXPECT_EQ(ReasonFor(Open(other).status()), Reason::kShuttingDown);
  ASSERT_TRUE(engine_->DeleteSession("mine").ok());
  EXPECT_EQ(ReasonFor(Open(OpenRequest()).status()), Reason::kShuttingDown);
}

}  // namespace
}  // namespace longtake
