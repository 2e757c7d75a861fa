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

// The picture and the chunk it turns at are those of an engine that knows nothing.
TEST(PromptEncodingTest, KnownPromptsOfEventsAndLaterChunksAreTheSame) {
  const auto run = [](TestEngine& engine) {
    SessionSpec spec = SmallSpec("a red circle", 1, 93);
    spec.prompt_changes = {{.frame = 57, .prompt = "a red circle"}};
    auto session = *engine.CreateSession(spec, "");
    EXPECT_TRUE(engine->Submit(*session, {EventKind::kPrompt, "a blue square", 21}).ok());
    return ReadToEnd(engine, *session);
  };
  TestEngine cold(WithCache(0));
  const Received first = run(cold);
  TestEngine warm(WithCache(32 << 20));
  Take(warm, SmallSpec("a blue square", 1, 15));
  const uint64_t before = warm->stats().text_sweeps;
  const Received again = run(warm);
  EXPECT_EQ(again.Digests(), first.Digests());
  EXPECT_NE(first.Digests(), Take(cold, SmallSpec("a red circle", 1, 93)));
  ASSERT_EQ(first.applied.size(), 1u);
  ASSERT_EQ(again.applied.size(), 1u);
  EXPECT_EQ(again.applied[0].chunk, first.applied[0].chunk);
  EXPECT_EQ(warm->stats().text_sweeps, before + 1) << "for the red circle, once";
}

}  // namespace
}  // namespace longtake
