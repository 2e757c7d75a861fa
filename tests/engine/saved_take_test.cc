// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A take as a value; that every policy goes on with its bits is longtake_take_digests --moving.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/engine/engine_fixture.h"
#include "tests/engine/scripted_sink.h"

namespace longtake {
namespace {

using testing::HasSubstr;

class SavedTakeTest : public testing::Test {
 protected:
  // The state at the first boundary from this chunk on.
  SavedTake SaveAt(const std::shared_ptr<Session>& session, int64_t chunk) {
    for (;;) {
      absl::StatusOr<SavedTake> take = engine_->Save(*session);
      if (take.ok() && take->rollout.chunk >= chunk) return *std::move(take);
      LT_CHECK(engine_->Step() || engine_->Step());
    }
  }

  ScriptedSink sink_;
  TestEngine engine_;
};

TEST_F(SavedTakeTest, AStateThatIsPutBackIsTheSameState) {
  const auto session = *engine_.CreateSession(SmallSpec("a red circle", 7, 0), "one");
  session->Attach(-1, nullptr).IgnoreError();
  ASSERT_TRUE(
      engine_
          ->Submit(
              *session,
              {.kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 57, .control_id = 9})
          .ok());
  const SavedTake take = SaveAt(session, 2);
  EXPECT_EQ(take.events.size(), 1u);
  EXPECT_FALSE(take.kv.empty());
  ASSERT_TRUE(engine_.Renew(EngineSetup().engine).ok());
  const auto again = *engine_->Restore(take);
  EXPECT_EQ(again->id(), "one");
  // Its number is still known to whoever asks again.
  EXPECT_EQ(
      engine_
          ->Submit(
              *again,
              {.kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 57, .control_id = 9})
          ->sequence,
      1u);
  EXPECT_EQ(again->Info().chunk_count, take.decoder.chunk);
  // Its reader went with the other engine: the ttl has begun.
  EXPECT_EQ(again->Info().expire_wall_nanos, again->spec().ttl_nanos);
  again->Attach(-1, nullptr).IgnoreError();
  while (!engine_->Save(*again).ok()) engine_->Step();
  EXPECT_TRUE(*engine_->Save(*again) == take);
  EXPECT_EQ(engine_->Restore(take).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(SavedTakeTest, AnEventIsPartOfItOnceItIsRecorded) {
  EngineOptions options = EngineSetup().engine;
  options.event_sink = &sink_;
  ASSERT_TRUE(engine_.Renew(options).ok());
  const auto session = *engine_.CreateSession(SmallSpec("a red circle", 7, 0), "one");
  std::optional<absl::StatusOr<EventAccepted>> answer;
  const auto submit = [&](const SessionEvent& event) {
    engine_->Submit(session, event, {}, [&](const auto& result) { answer = result; });
  };
  submit({.kind = EventKind::kPause, .frame = -1});
  EXPECT_EQ(answer->status().code(), absl::StatusCode::kInvalidArgument);
  answer.reset();
  submit({.kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 57, .control_id = 9});
  const SavedTake before = SaveAt(session, 1);
  EXPECT_TRUE(before.events.empty());
  EXPECT_TRUE(Inbox(before.inbox).Take().empty());
  EXPECT_FALSE(answer.has_value());
  sink_.Say(1);
  EXPECT_EQ((*answer)->sequence, 1u);
  const SavedTake after = SaveAt(session, 2);
  ASSERT_EQ(after.events.size(), 1u);
  EXPECT_EQ(after.events[0].accepted.prompt_ids, *engine_.model().Tokenize("a blue square"));
}

TEST_F(SavedTakeTest, WhatDoesNotBelongTogetherIsRefusedByName) {
  const auto session = *engine_.CreateSession(SmallSpec("a red circle", 7, 0), "one");
  const SavedTake good = SaveAt(session, 2);
  ASSERT_TRUE(engine_->DeleteSession("one").ok());
  const auto refused = [&](const std::string& field,
                           const std::function<void(SavedTake&)>& break_it) {
    SavedTake bad = good;
    break_it(bad);
    const auto status = engine_->Restore(bad).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  };
  refused("prompts", [](SavedTake& take) { take.prompts.branches.clear(); });
  refused("prompts", [](SavedTake& take) { take.prompts.old = {1}; });
  refused("undecoded", [](SavedTake& take) { take.undecoded.emplace_back(); });
  refused("kv", [](SavedTake& take) { take.kv.clear(); });
  refused("chunk", [](SavedTake& take) { take.rollout.chunk = take.decoder.chunk = -1; });
  refused("kept", [](SavedTake& take) { take.rollout.kept = take.rollout.chunk + 1; });
  refused("unkept", [](SavedTake& take) { take.rollout.unkept = Latents(16, {.height = 4}); });
  refused("frames", [](SavedTake& take) { take.rollout.frames.emplace_back(); });
  refused("frames", [](SavedTake& take) {
    take.rollout.frames[0].insert(99);
    take.kv[{0, 99}] = {};
  });
  refused("recent", [](SavedTake& take) { take.rollout.recent.emplace_back(); });
  refused("recache", [](SavedTake& take) { take.rollout.recache = true; });
  refused("sink_start", [](SavedTake& take) { take.rollout.sink_start = 100; });
  refused("in_work", [](SavedTake& take) { take.rollout.in_work.emplace_back(); });
  refused("start", [](SavedTake& take) { take.rollout.start = Latents(16, {.height = 4}); });
  EXPECT_TRUE(engine_->Sessions().empty());
  EXPECT_TRUE(engine_->Restore(good).ok());
}

// Found when its bytes are put where they belong: the session fails, nobody else is disturbed.
TEST_F(SavedTakeTest, AFrameOfAnotherSizeFailsItsSession) {
  const auto session = *engine_.CreateSession(SmallSpec("a red circle", 7, 0), "one");
  SavedTake take = SaveAt(session, 2);
  ASSERT_TRUE(engine_->DeleteSession("one").ok());
  take.kv.begin()->second.pop_back();
  const auto again = *engine_->Restore(take);
  const Received received = ReadToEnd(engine_, *again);
  EXPECT_EQ(received.end->code(), absl::StatusCode::kInvalidArgument) << *received.end;
  EXPECT_EQ(engine_->stats().kv_bytes, 0u);
}

TEST_F(SavedTakeTest, OnlyBetweenTwoChunks) {
  const auto session = *engine_.CreateSession(SmallSpec("a red circle", 7, 0), "one");
  SaveAt(session, 1);
  engine_->Step();
  engine_->Step();
  EXPECT_EQ(engine_->Save(*session).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace longtake
