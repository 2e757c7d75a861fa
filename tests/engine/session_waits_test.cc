// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A session on a disk that hangs: its client is not blamed for that, and has all of its own time
// once the disk answers.
#include <gtest/gtest.h>

#include "base/error_reason.h"
#include "engine/session/session.h"
#include "tests/engine/scripted_sink.h"

namespace longtake {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kHang = 10'000 * kSecond;

// It begins with one picture of 16x16, whose 768 bytes are awaited for 30 s, and 10 a second over
// the whole time.
class SessionWaitsTest : public ::testing::Test {
 protected:
  SessionWaitsTest() {
    spec_.start_frames = 1;
    spec_.width = spec_.height = 16;
    spec_.ttl_nanos = 10 * kHang;
    limits_.outbox_bytes_max = 300;
    limits_.attached_idle_nanos = 600 * kSecond;
    limits_.start_wait_nanos = 30 * kSecond;
    limits_.start_bytes_per_second_min = 10;
  }
  void Begin() {
    session_ = std::make_shared<Session>(
        SessionKey{"s"}, spec_, limits_, SessionReservations{}, clock_, [] {}, nullptr, sink_);
    reader_ = *session_->Attach(-1, nullptr);
  }
  void Send(int64_t offset, size_t bytes) {
    ASSERT_TRUE(session_->PutStart(reader_, offset, std::string(bytes, 'x')).ok());
  }
  void Hang() {
    clock_.Advance(kHang);
    EXPECT_TRUE(session_->CheckLife().ok()) << session_->CheckLife();
  }
  // From now on it waits for its client, and for so long.
  void ExpectLifeOf(int64_t nanos, Reason then) {
    clock_.Advance(nanos - 1);
    EXPECT_TRUE(session_->CheckLife().ok()) << session_->CheckLife();
    clock_.Advance(1);
    EXPECT_EQ(ReasonFor(session_->CheckLife()), then) << session_->CheckLife();
  }

  ResolvedSpec spec_;
  SessionLimits limits_;
  ManualClock clock_;
  ScriptedSink sink_;
  std::shared_ptr<Session> session_;
  uint64_t reader_ = 0;
};

TEST_F(SessionWaitsTest, StartFramesThatAreBeingRecordedAreNotLate) {
  Begin();
  Send(0, 700);
  Hang();
  sink_.SayStart(0);
  ExpectLifeOf(30 * kSecond, Reason::kStartLate);
}

TEST_F(SessionWaitsTest, NorAreThoseBehindAControlThatIsBeingRecorded) {
  Begin();
  session_->Submit({.kind = EventKind::kPause}, {}, reader_, [](const auto&) {});
  Hang();
  sink_.Say(1);
  ExpectLifeOf(30 * kSecond, Reason::kStartLate);
}

TEST_F(SessionWaitsTest, TheirLeastRateCountsTheTimeOfTheClientAlone) {
  Begin();
  Send(0, 50);  // which take 5 s at that rate
  Hang();
  sink_.SayStart(0);
  clock_.Advance(20 * kSecond);
  Send(50, 10);
  sink_.SayStart(50);
  ExpectLifeOf(16 * kSecond, Reason::kStartLate);
}

TEST_F(SessionWaitsTest, WhoTakesOverMeanwhileGetsNoOtherTime) {
  Begin();
  Send(0, 400);
  Hang();
  reader_ = *session_->Attach(-1, nullptr);
  Send(0, 500);
  sink_.SayStart(0);
  Hang();  // the second one's part is still on its way
  sink_.SayStart(400);
  ExpectLifeOf(30 * kSecond, Reason::kStartLate);
}

TEST_F(SessionWaitsTest, AClientThatIsBeingAnsweredIsNotIdle) {
  limits_.start_wait_nanos = 10 * kHang;
  Begin();
  Send(0, 400);
  Hang();
  sink_.SayStart(0);
  clock_.Advance(599 * kSecond);
  EXPECT_FALSE(session_->Expired());
  session_->Submit({.kind = EventKind::kPause}, {}, reader_, [](const auto&) {});
  Hang();
  sink_.Say(1);
  ExpectLifeOf(600 * kSecond, Reason::kClientIdle);
}

TEST_F(SessionWaitsTest, NorIsOneThatAChunkCannotBeSentTo) {
  spec_.start_frames = 0;
  Begin();
  session_->ReleaseChunks(0);
  auto chunk = std::make_shared<MediaChunk>();
  chunk->rgb.resize(300);
  session_->PutChunk(chunk);
  session_->SetState(SessionState::kBlocked);
  Hang();
  session_->ReleaseChunks(1);
  ExpectLifeOf(600 * kSecond, Reason::kClientIdle);
}

TEST_F(SessionWaitsTest, NorOneWhoseLastReceiptIsBeingRecorded) {
  spec_.start_frames = 0;
  Begin();
  session_->ReleaseChunks(0);
  session_->Submit({.kind = EventKind::kEnd}, {}, reader_, [](const auto&) {});
  sink_.Say(1);
  EXPECT_EQ(session_->TakeEvents().size(), 1u);
  session_->ExpectApplied();
  session_->PutEnd(absl::OkStatus());
  Hang();
  session_->PutApplied(1, 0);
  ExpectLifeOf(600 * kSecond, Reason::kClientIdle);
}

// Whoever asks in the very moment in which it is cancelled hears of that, and of nothing else.
TEST_F(SessionWaitsTest, WhatComesWhileItIsBeingCancelledIsThrownAway) {
  std::string told;
  const auto look = [&](const std::string&, const absl::Status&) {
    EXPECT_TRUE(session_->PutStart(reader_, 400, std::string(100, 'x')).ok());
    EXPECT_TRUE(session_->CheckStartIsWhole().ok());
    EXPECT_EQ(session_->CheckReader(reader_).message(), "deleted");
    EXPECT_FALSE(session_->Poll(reader_)->has_value()) << "the end is written down first";
    told += "end ";
  };
  session_ = std::make_shared<Session>(
      SessionKey{"s"}, spec_, limits_, SessionReservations{}, clock_, [] {}, look, sink_);
  reader_ = *session_->Attach(-1, [&] { told += "wake "; });
  Send(0, 400);
  session_->Cancel(absl::CancelledError("deleted"));
  EXPECT_EQ(told, "end wake ");
  EXPECT_TRUE(std::holds_alternative<SessionEnd>(**session_->Poll(reader_)));
}

}  // namespace
}  // namespace longtake
