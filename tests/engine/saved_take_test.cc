// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A take as a value; that every policy goes on with its bits is longtake_take_digests --moving.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/engine/engine_fixture.h"
#include "tests/engine/scripted_sink.h"

namespace longtake {
namespace {

using testing::HasSubstr;

class SavedTakeTest : public testing::Test {
 protected:
  // The state at the first boundary from this chunk on.
  SavedTake SaveAt(const std::shared_ptr<Session>& session, int64_t chunk) {
    return SaveAt(engine_, session, chunk);
  }
  static SavedTake SaveAt(TestEngine& engine, const std::shared_ptr<Session>& session,
                          int64_t chunk) {
    for (;;) {
      absl::StatusOr<SavedTake> take = engine->Save(*session);
      if (take.ok() && take->rollout.chunk >= chunk) return *std::move(take);
      LT_CHECK(engine->Step() || engine->Step());
    }
  }

  // What is put back is not taken, and the answer names the part that does not fit.
  static void ExpectRefused(TestEngine& engine, const SavedTake& good, const std::string& part,
                            const std::function<void(SavedTake&)>& break_it) {
    SavedTake bad = good;
    break_it(bad);
    const auto status = engine->Restore(bad).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << part;
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
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
  const auto refused = [&](const std::string& part,
                           const std::function<void(SavedTake&)>& break_it) {
    ExpectRefused(engine_, good, part, break_it);
  };
  refused("prompts", [](SavedTake& take) { take.prompts.branches.clear(); });
  refused("prompts", [](SavedTake& take) { take.prompts.old = {1}; });
  refused("undecoded", [](SavedTake& take) { take.undecoded.emplace_back(); });
  refused("kv", [](SavedTake& take) { take.kv.clear(); });
  refused("chunk", [](SavedTake& take) { take.rollout.chunk = take.decoder.chunk = -1; });
  refused("unwritten", [](SavedTake& take) {
    take.rollout.unwritten.resize(static_cast<size_t>(take.rollout.chunk) + 1);
  });
  refused("unwritten",
          [](SavedTake& take) { take.rollout.unwritten.assign(1, Latents(16, {.height = 4})); });
  refused("frames", [](SavedTake& take) { take.rollout.frames.emplace_back(); });
  refused("frames", [](SavedTake& take) {
    take.rollout.frames[0].insert(99);
    take.kv[{0, 99}] = {};
  });
  refused("recent", [](SavedTake& take) { take.rollout.recent.emplace_back(); });
  refused("recache", [](SavedTake& take) { take.rollout.recache = true; });
  refused("sink_start", [](SavedTake& take) { take.rollout.sink_start = 100; });
  refused("in_work", [](SavedTake& take) { take.rollout.in_work.emplace_back(); });
  refused("start", [](SavedTake& take) { take.rollout.start.emplace_back(); });
  refused("start", [](SavedTake& take) { take.rollout.has_start = false; });
  refused("frames", [](SavedTake& take) { take.rollout.frames[0].erase(0); });
  refused("kv", [](SavedTake& take) { take.kv[{0, 99}] = take.kv.begin()->second; });
  refused("kv", [](SavedTake& take) { take.kv[{1, 0}] = take.kv.begin()->second; });
  refused("chunk", [](SavedTake& take) {
    const int64_t ahead = (int64_t{1} << 40) + 1 - take.rollout.chunk;
    take.rollout.chunk += ahead;
    take.decoder.chunk += ahead;
  });
  refused("undecoded", [](SavedTake& take) {
    take.decoder.chunk = take.rollout.chunk - 1;
    take.undecoded.assign(1, Latents());
  });
  refused("undecoded",
          [](SavedTake& take) { take.decoder.chunk = std::numeric_limits<int64_t>::max(); });
  refused("sink_start", [](SavedTake& take) { take.rollout.sink_start = 1; });
  refused("next_frame", [](SavedTake& take) { ++take.decoder.next_frame; });
  refused("caches", [](SavedTake& take) { take.decoder.caches.clear(); });
  refused("caches", [](SavedTake& take) { take.decoder.caches[0].calls = 1; });
  refused("spec", [](SavedTake& take) { take.spec.width = 47; });
  refused("spec", [](SavedTake& take) { take.spec.fps = 0; });
  refused("spec", [](SavedTake& take) { take.spec.decoder = DecoderKind::kTiny; });
  EXPECT_TRUE(engine_->Sessions().empty());
  EXPECT_TRUE(engine_->Restore(good).ok());
}

// Whoever keeps its profile's promise does not go on under the name of another.
TEST_F(SavedTakeTest, ATakeOfAnotherNumericsProfileIsRefused) {
  const auto session = *engine_.CreateSession(SmallSpec("a red circle", 7, 0), "one");
  SavedTake take = SaveAt(session, 1);
  ASSERT_TRUE(engine_->DeleteSession("one").ok());
  take.spec.numerics_profile = "another";
  EXPECT_EQ(engine_->Restore(take).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SavedTakeTest, ChunksInWorkAreEachAtALevelOfTheirOwn) {
  const ScratchPack pack(SmallRecipe("rolling-forcing"));
  EngineSetup setup;
  setup.pack = pack.directory();
  TestEngine engine(setup);
  const auto session = *engine.CreateSession(SmallSpec("a red circle", 7, 0), "one");
  const SavedTake good = SaveAt(engine, session, 5);
  ASSERT_TRUE(engine->DeleteSession("one").ok());
  ASSERT_GE(good.rollout.in_work.size(), 3u);
  const auto refused = [&](const std::function<void(std::deque<ChunkInWork>&)>& break_it) {
    ExpectRefused(engine, good, "in_work",
                  [&](SavedTake& take) { break_it(take.rollout.in_work); });
  };
  refused([](auto& in_work) { in_work.front().step = 5; });  // levels are 0 to 4
  refused([](auto& in_work) { in_work[1].step = in_work[0].step; });
  refused([](auto& in_work) { in_work.back().step = -1; });
  refused([](auto& in_work) { in_work.back().x = {}; });
  refused([](auto& in_work) { in_work.pop_front(); });
  ExpectRefused(engine, good, "in_work", [](SavedTake& take) {
    take.spec.frame_count = 12 * (take.rollout.chunk + 1) - 3;  // one more chunk, and no other
  });
  EXPECT_TRUE(engine->Restore(good).ok());
}

TEST_F(SavedTakeTest, EventsThatWaitAreThoseItsInboxGaveNumbers) {
  const auto session = *engine_.CreateSession(SmallSpec("a red circle", 7, 0), "one");
  for (const int64_t frame : {57, 69}) {
    ASSERT_TRUE(engine_->Submit(*session, {.kind = EventKind::kPause, .frame = frame}).ok());
  }
  const SavedTake good = SaveAt(session, 2);
  ASSERT_TRUE(engine_->DeleteSession("one").ok());
  ASSERT_EQ(good.events.size(), 2u);
  const auto refused = [&](const std::function<void(std::vector<WaitingEvent>&)>& break_it) {
    ExpectRefused(engine_, good, "events", [&](SavedTake& take) { break_it(take.events); });
  };
  refused([](auto& events) { events.pop_back(); });
  refused([](auto& events) { events[1].accepted.sequence = 3; });
  refused([](auto& events) { events[1].accepted.sequence = 1; });
  refused([](auto& events) { std::swap(events[0], events[1]); });
  ExpectRefused(engine_, good, "events", [](SavedTake& take) { take.inbox = Inbox(); });
  EXPECT_TRUE(engine_->Restore(good).ok());
}

TEST_F(SavedTakeTest, ATakeThatOnlyWaitsForItsDecoderEndsElsewhere) {
  SessionSpec spec = SmallSpec("a red circle", 7, 33);
  spec.key_plan = KeyPlanSpec{.kind = KeyPlanKind::kWindow, .window_frames = 12, .sink_frames = 3};
  spec.prompt_switch = PromptSwitch::kRecache;
  const auto session = *engine_.CreateSession(spec, "one");
  const SavedTake take = SaveAt(session, 3);
  ASSERT_FALSE(take.undecoded.empty());
  ASSERT_TRUE(engine_.Renew(EngineSetup().engine).ok());
  const auto again = engine_->Restore(take);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(ReadToEnd(engine_, **again).end->ok());
}

// The pixels that came are not part of a take; their latents are.
TEST_F(SavedTakeTest, StartFramesAreWaitedForOnceTheyBeganToCome) {
  SessionSpec spec = SmallSpec("a red circle", 7, 45);
  spec.start_frames = 9;
  const auto session = *engine_.CreateSession(spec, "one");
  engine_->Step();
  EXPECT_TRUE(engine_->Save(*session).ok());
  const std::string clip(9 * 48 * 32 * 3, '\x70');
  ASSERT_TRUE(session->PutStart(0, 0, clip.substr(0, 1000)).ok());
  EXPECT_EQ(engine_->Save(*session).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(session->PutStart(0, 1000, clip.substr(1000)).ok());
  engine_->Step();
  EXPECT_EQ(engine_->Save(*session).status().code(), absl::StatusCode::kFailedPrecondition);
  absl::StatusOr<SavedTake> take = engine_->Save(*session);
  while (!take.ok()) {
    ASSERT_TRUE(engine_->Step());
    take = engine_->Save(*session);
  }
  EXPECT_TRUE(take->rollout.has_start);
  ASSERT_TRUE(engine_.Renew(EngineSetup().engine).ok());
  EXPECT_TRUE(ReadToEnd(engine_, **engine_->Restore(*take)).end->ok());
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
