// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A prompt is encoded once: later sessions, other branches and later events take what is known, and
// make the same frames.
#include <gtest/gtest.h>

#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

EngineSetup WithCache(uint64_t bytes) {
  EngineSetup setup;
  setup.engine.prompt_cache_bytes_max = bytes;
  return setup;
}

std::vector<std::string> Take(TestEngine& engine, const SessionSpec& spec) {
  return ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests();
}

TEST(PromptEncodingTest, AKnownPromptNeedsNoSweepAndMakesTheSameFrames) {
  const SessionSpec spec = SmallSpec("a red circle", 1, 33);
  TestEngine with(WithCache(32 << 20));
  TestEngine without(WithCache(0));
  const auto first = Take(with, spec);
  EXPECT_EQ(Take(with, spec), first);
  EXPECT_EQ(Take(without, spec), first);
  EXPECT_EQ(Take(without, spec), first);
  EXPECT_EQ(with->stats().text_sweeps, 1u);
  EXPECT_EQ(with->stats().prompts_encoded, 1u);
  EXPECT_EQ(with->stats().prompts_known, 1u);
  EXPECT_GT(with->stats().prompt_cache_bytes, 0u);
  EXPECT_EQ(without->stats().text_sweeps, 2u);
  EXPECT_EQ(without->stats().prompts_known, 0u);
  EXPECT_EQ(without->stats().prompt_cache_bytes, 0u);
}

TEST(PromptEncodingTest, ThoseThatWaitForTheSamePromptShareItWithoutACache) {
  TestEngine engine(WithCache(0));
  std::vector<std::shared_ptr<Session>> sessions;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    SessionSpec spec = SmallSpec("a red circle", seed, 33);
    spec.guidance = 3.0;
    spec.negative_prompt = seed == 3 ? "a red circle" : "blurred";
    sessions.push_back(*engine.CreateSession(spec, ""));
  }
  engine->Step();
  EXPECT_EQ(engine->stats().text_sweeps, 1u);
  EXPECT_EQ(engine->stats().prompts_encoded, 2u);
  EXPECT_EQ(engine->stats().prompts_known, 6u);
  TestEngine alone(WithCache(0));
  SessionSpec spec = SmallSpec("a red circle", 3, 33);
  spec.guidance = 3.0;
  spec.negative_prompt = "a red circle";
  EXPECT_EQ(ReadToEnd(engine, *sessions[3]).Digests(), Take(alone, spec));
}

TEST(PromptEncodingTest, AnEventWithAKnownPromptIsAppliedAtTheNextBoundary) {
  TestEngine engine(WithCache(32 << 20));
  Take(engine, SmallSpec("a blue square", 1, 15));
  const uint64_t before = engine->stats().text_sweeps;
  SessionSpec spec = SmallSpec("a red circle", 1, 60);
  spec.prompt_changes = {{.frame = 21, .prompt = "a blue square"}};
  auto session = *engine.CreateSession(spec, "");
  ASSERT_TRUE(engine->Submit(*session, {EventKind::kPrompt, "a blue square"}).ok());
  const Received received = ReadToEnd(engine, *session);
  ASSERT_TRUE(received.end.has_value());
  EXPECT_TRUE(received.end->ok());
  EXPECT_EQ(received.applied.size(), 1u);
  EXPECT_EQ(engine->stats().text_sweeps, before + 1) << "for the red circle only";
}

}  // namespace
}  // namespace longtake
