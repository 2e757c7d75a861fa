// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a client asks of a session while it runs: every event gets its second receipt, and what is
// superseded costs nothing.
#include <gtest/gtest.h>

#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

void RunToChunk(TestEngine& engine, Session& session, uint64_t reader, size_t count,
                Received* received) {
  while (received->chunks.size() < count && engine->Step()) PollAll(session, reader, received);
}

void RunToEnd(TestEngine& engine, Session& session, uint64_t reader, Received* received) {
  while (!received->end && engine->Step()) PollAll(session, reader, received);
  PollAll(session, reader, received);
}

TEST(EventsTest, OnlyTheLastOfSeveralPromptsIsEncoded) {
  TestEngine engine;
  const SessionSpec spec = SmallSpec("a red circle", 7, 60);
  const auto run = [&](const std::vector<std::string>& prompts, uint64_t* text_sweeps) {
    auto session = *engine.CreateSession(spec, "");
    Received received;
    const uint64_t reader = *session->Attach(-1, nullptr);
    RunToChunk(engine, *session, reader, 1, &received);
    const uint64_t before = engine->stats().text_sweeps;
    for (const std::string& prompt : prompts) {
      EXPECT_TRUE(engine->Submit(*session, {EventKind::kPrompt, prompt}).ok());
    }
    RunToEnd(engine, *session, reader, &received);
    *text_sweeps = engine->stats().text_sweeps - before;
    return received;
  };
  uint64_t one = 0;
  uint64_t many = 0;
  const std::string last = "a blue square on a black background";
  const Received alone = run({last}, &one);
  std::string full;  // more tokens than a prompt may have, so that four fill a text sweep
  for (int i = 0; i < 300; ++i) full += "a green triangle ";
  std::vector<std::string> prompts(40, full);
  prompts.push_back(last);
  const Received superseded = run(prompts, &many);
  EXPECT_EQ(one, 1u);
  EXPECT_EQ(many, 1u);
  EXPECT_EQ(superseded.Digests(), alone.Digests());
  ASSERT_EQ(superseded.applied.size(), prompts.size());
  for (const EventApplied& applied : superseded.applied) {
    EXPECT_EQ(applied.chunk, alone.applied.at(0).chunk);
  }
}

// At any moment of a short take an event may come: it is refused, or it gets both receipts.
TEST(EventsTest, EventsAroundTheLastChunkGetTheirReceipts) {
  for (int steps = 0; steps < 16; ++steps) {
    TestEngine engine;
    auto session = *engine.CreateSession(SmallSpec("a red circle", 3, 15), "");
    Received received;
    const uint64_t reader = *session->Attach(-1, nullptr);
    for (int i = 0; i < steps; ++i) engine->Step();
    size_t accepted = 0;
    for (EventKind kind : {EventKind::kPause, EventKind::kResume, EventKind::kPrompt}) {
      accepted += engine->Submit(*session, {kind, "a blue square"}).ok() ? 1 : 0;
    }
    RunToEnd(engine, *session, reader, &received);
    ASSERT_TRUE(received.end.has_value()) << "after " << steps << " steps";
    EXPECT_TRUE(received.end->ok());
    EXPECT_EQ(received.applied.size(), accepted) << "after " << steps << " steps";
    EXPECT_EQ(received.chunks.size(), 2u);
  }
}

// With guidance two prompts start a session; a third that came before they were encoded must not be
// replaced by them.
TEST(EventsTest, AnEarlyPromptIsNotReplacedByTheFirst) {
  TestEngine engine;
  std::string full;
  for (int i = 0; i < 300; ++i) full += "a green triangle ";
  // Three full prompts of others leave no room for the fourth, this session's negative one, but for
  // its first and for the early one.
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine.CreateSession(SmallSpec(full, 1, 0), "").ok());
  }
  SessionSpec spec = SmallSpec("a red circle on a white background", 7, 33);
  spec.guidance = 2.0;
  spec.negative_prompt = full;
  const std::string wanted = "a blue square on a black background";
  auto session = *engine.CreateSession(spec, "");
  ASSERT_TRUE(engine->Submit(*session, {EventKind::kPrompt, wanted}).ok());
  const Received received = ReadToEnd(engine, *session);
  const auto plain = ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
  ASSERT_EQ(received.applied.size(), 1u);
  for (size_t i = 0; i < plain.size(); ++i) {
    const bool before = static_cast<int64_t>(i) < received.applied[0].chunk;
    EXPECT_EQ(received.Digests().at(i) == plain[i], before) << "chunk " << i;
  }
}

TEST(EventsTest, WhatFollowsAnEndIsAnsweredToo) {
  TestEngine engine;
  auto session = *engine.CreateSession(SmallSpec("a red circle", 3, 0), "");
  Received received;
  const uint64_t reader = *session->Attach(-1, nullptr);
  RunToChunk(engine, *session, reader, 1, &received);
  for (EventKind kind : {EventKind::kEnd, EventKind::kPrompt, EventKind::kPause}) {
    EXPECT_TRUE(engine->Submit(*session, {kind, "a blue square"}).ok());
  }
  RunToEnd(engine, *session, reader, &received);
  ASSERT_TRUE(received.end.has_value());
  EXPECT_EQ(received.applied.size(), 3u);
}

}  // namespace
}  // namespace longtake
