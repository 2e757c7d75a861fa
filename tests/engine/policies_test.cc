// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Every policy through the whole engine: chosen by recipe or session, refused where the model does
// not allow it, and indifferent to company like all others.
#include <gtest/gtest.h>

#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

EngineSetup With(const ScratchPack& pack) {
  EngineSetup setup;
  setup.pack = pack.directory();
  return setup;
}

std::vector<std::string> Digests(TestEngine& engine, const SessionSpec& spec) {
  const Received received = ReadToEnd(engine, **engine.CreateSession(spec, ""));
  EXPECT_TRUE(received.end.has_value() && received.end->ok());
  return received.Digests();
}

void ExpectRefused(TestEngine& engine, const SessionSpec& spec, const std::string& field) {
  const absl::Status status = engine.CreateSession(spec, "").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
  EXPECT_EQ(std::string(status.message()).rfind(field + ":", 0), 0u) << status;
}

// Digests of a take whose prompt changes after its second chunk: nobody reads before, so a small
// outbox stops it there, whoever else is in the sweeps. The others are read all the time.
std::vector<std::string> ChangedTake(TestEngine& engine, const SessionSpec& spec,
                                     Session* company = nullptr) {
  auto session = *engine.CreateSession(spec, "");
  const uint64_t company_reader = company == nullptr ? 0 : *company->Attach(-1, nullptr);
  const auto step = [&] {
    Received ignored;
    if (company != nullptr) PollAll(*company, company_reader, &ignored);
    return engine->Step();
  };
  while (session->Info().chunk_count < 2 && step()) {
  }
  EXPECT_TRUE(
      engine->Submit(*session, {EventKind::kPrompt, "a blue square on a black background"}).ok());
  for (int i = 0; i < 4; ++i) step();
  const uint64_t reader = *session->Attach(-1, nullptr);
  Received received;
  for (int idle = 0; !received.end && idle < 3;) {
    PollAll(*session, reader, &received);
    idle = step() ? 0 : idle + 1;
  }
  EXPECT_EQ(received.applied.size(), 1u);
  EXPECT_EQ(received.applied.at(0).chunk, 2);
  return received.Digests();
}

TEST(PoliciesTest, ARecacheIsAnotherTakeThanASwapAndAloneIsAsInCompany) {
  const ScratchPack pack(SmallRecipe("longlive"));
  EngineSetup setup = With(pack);
  setup.engine.session.outbox_bytes_max = 2 * 12 * 48 * 32 * 3;
  TestEngine engine(setup);
  SessionSpec spec = SmallSpec("a red circle on a white background", 7, 81);
  EXPECT_EQ(engine->Resolve(spec)->prompt_switch, PromptSwitch::kRecache) << "the recipe's";
  const auto recached = ChangedTake(engine, spec);
  spec.prompt_switch = PromptSwitch::kSwap;
  const auto swapped = ChangedTake(engine, spec);
  ASSERT_EQ(recached.size(), swapped.size());
  EXPECT_EQ(recached[0], swapped[0]);
  EXPECT_NE(recached.back(), swapped.back());

  spec.prompt_switch = PromptSwitch::kRecache;
  SessionSpec other = SmallSpec("a green triangle", 3, 0);
  other.width = 64;
  const auto company = *engine.CreateSession(other, "");
  EXPECT_EQ(ChangedTake(engine, spec, company.get()), recached);

  spec.key_plan = KeyPlanSpec{KeyPlanKind::kRollingSink, 21, 0};
  ExpectRefused(engine, spec, "prompt_switch");
  spec.prompt_switch.reset();
  EXPECT_EQ(engine->Resolve(spec)->prompt_switch, PromptSwitch::kSwap)
      << "a key plan that cannot be made again takes the recipe's choice along";
}

// A new prompt makes the first branch's memory again and may move its sink. The negative prompt's
// branch has no other frames for one and keeps its own.
TEST(PoliciesTest, ASinkMovesInTheBranchOfThePromptAlone) {
  const ScratchPack pack(SmallRecipe("longlive"));
  TestEngine engine(With(pack));
  SessionSpec spec = SmallSpec("a red circle", 7, 117);
  spec.guidance = 3.0;
  spec.negative_prompt = "a blue square";
  spec.prompt_switch = PromptSwitch::kRecacheAndSink;
  spec.prompt_changes = {{.frame = 69, .prompt = "a green triangle"}};  // latent frame 18
  const auto session = *engine.CreateSession(spec, "");
  std::optional<SavedTake> take;
  Received received;
  const uint64_t reader = *session->Attach(-1, nullptr);
  while (!received.end.has_value() && engine->Step()) {
    PollAll(*session, reader, &received);
    absl::StatusOr<SavedTake> saved = engine->Save(*session);
    if (saved.ok() && saved->rollout.chunk == 8) take = *std::move(saved);
  }
  PollAll(*session, reader, &received);
  ASSERT_TRUE(received.end.has_value() && received.end->ok()) << *received.end;
  ASSERT_TRUE(take.has_value());
  const auto sink = [&](size_t branch) { return *take->rollout.frames[branch].begin(); };
  EXPECT_EQ(sink(0), 6) << "the window's oldest when the prompt came";
  EXPECT_EQ(sink(1), 0);
  ASSERT_TRUE(engine.Renew(EngineSetup().engine).ok());
  const Received again = ReadToEnd(engine, **engine->Restore(*take));
  ASSERT_FALSE(again.chunks.empty());
  EXPECT_EQ(again.chunks.back()->chain.ToHex(), received.chunks.back()->chain.ToHex());
}

// What a client is told of its session can be asked for again, and is the same session.
TEST(PoliciesTest, WhatIsResolvedResolvesToItself) {
  for (const std::string& name : RecipeNames()) {
    const ScratchPack pack(SmallRecipe(name));
    TestEngine engine(With(pack));
    const auto once = engine->Resolve(SmallSpec("a red circle", 7, 81));
    ASSERT_TRUE(once.ok()) << name << ": " << once.status();
    const auto twice = engine->Resolve(once->AsRequest());
    ASSERT_TRUE(twice.ok()) << name << ": " << twice.status();
    EXPECT_TRUE(*twice == *once) << name;
    const auto session = engine->CreateSession(*once, "");
    ASSERT_TRUE(session.ok()) << name << ": " << session.status();
    EXPECT_TRUE(engine->Submit(*session->session, {EventKind::kPrompt, "a blue square"}).ok())
        << name;
    const Received received = ReadToEnd(engine, *session->session);
    EXPECT_TRUE(received.end.has_value() && received.end->ok()) << name;
    EXPECT_EQ(received.applied.size(), 1u) << name;
  }
}

TEST(PoliciesTest, ARollingRolloutTakesOneSweepAChunk) {
  const ScratchPack pack(SmallRecipe("rolling-forcing"));
  TestEngine engine(With(pack));
  const SessionSpec spec = SmallSpec("a red circle", 5, 9 + 7 * 12);
  const auto alone = Digests(engine, spec);
  EXPECT_EQ(alone.size(), 8u);
  // A joint forward a chunk and four to begin with; clean passes ride along.
  EXPECT_EQ(engine->stats().transformer_sweeps, 8u + 4);
  const auto company = *engine.CreateSession(SmallSpec("a blue square", 6, 0), "");
  EXPECT_EQ(Digests(engine, spec), alone);

  SessionSpec refused = spec;
  refused.key_plan = KeyPlanSpec{KeyPlanKind::kWindow, 24, 3};
  ExpectRefused(engine, refused, "key_plan");
  refused = spec;
  refused.prompt_switch = PromptSwitch::kRecache;
  ExpectRefused(engine, refused, "prompt_switch");
  refused = spec;
  refused.steps = {1000, 900, 800, 600, 400, 200};
  ExpectRefused(engine, refused, "steps");
}

TEST(PoliciesTest, AModelThatWasNotDistilledSpacesItsOwnSteps) {
  const ScratchPack pack(SmallRecipe("wan-base"));
  TestEngine engine(With(pack));
  SessionSpec spec = SmallSpec("a red circle", 5, 81);
  spec.step_count = 3;
  const auto three = Digests(engine, spec);
  EXPECT_EQ(three.size(), 1u) << "one chunk of all frames";
  EXPECT_EQ(engine->stats().transformer_sweeps, 3u) << "and no clean pass";
  EXPECT_EQ(engine->stats().items, 6u) << "guidance brings two items";
  spec.step_count = 4;
  EXPECT_NE(Digests(engine, spec), three);
  spec.frame_count = 82;
  ExpectRefused(engine, spec, "frame_count");
  spec.frame_count = 81;
  spec.steps = {1000, 500};
  ExpectRefused(engine, spec, "steps");
  spec.steps.clear();
  spec.step_count = 1001;
  ExpectRefused(engine, spec, "step_count");

  TestEngine distilled;
  spec.step_count = 3;
  ExpectRefused(distilled, spec, "step_count");
}

}  // namespace
}  // namespace longtake
