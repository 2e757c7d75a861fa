// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/rollout_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace longtake {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr int64_t kRows = 10;  // of a frame
constexpr int64_t kPlenty = 1000;

// Three frames a chunk, a window of 21.
RolloutSpec Chunks() {
  RolloutSpec spec;
  spec.levels.resize(4);
  spec.key_plan = {.kind = KeyPlanKind::kWindow, .window_frames = 21};
  spec.kv_layout = {.layers = 2, .rows = kRows, .width = 8};
  return spec;
}

RolloutSpec Rolling() {
  RolloutSpec spec = Chunks();
  spec.kind = RolloutKind::kRolling;
  spec.levels.resize(5);
  return spec;
}

SweepLoad Frames(int64_t frames, int64_t context) {
  return SweepLoad::Forward(frames * kRows, context * kRows);
}

SweepLoad Both(SweepLoad a, const SweepLoad& b) {
  a.Add(b);
  return a;
}

TEST(RolloutShapeTest, TheCleanPassRidesInTheFirstSweepOfTheNextChunk) {
  const SweepLoad step = Frames(3, 18);
  EXPECT_THAT(SweepsOfChunk(Chunks(), kPlenty, false),
              ElementsAre(Both(step, step), step, step, step));
  EXPECT_THAT(SweepsOfChunk(Chunks(), 6 * kRows - 1, false),
              ElementsAre(step, step, step, step, step))
      << "no room for both";
}

TEST(RolloutShapeTest, SeveralChunksInWorkTakeOneSweepAChunk) {
  EXPECT_THAT(SweepsOfChunk(Rolling(), kPlenty, false),
              ElementsAre(Both(Frames(15, 6), Frames(3, 18))));
  EXPECT_THAT(SweepsOfFirstChunk(Rolling()),
              ElementsAre(Frames(3, 0), Frames(6, 0), Frames(9, 0), Frames(12, 0), Frames(15, 0)));
}

TEST(RolloutShapeTest, KvFromTheFileKeepsThemApartAndComesWithEach) {
  SweepLoad step = Frames(3, 18);
  step.kv_layer_bytes = 18 * Chunks().kv_layout.file_layer_bytes();
  const std::vector<SweepLoad> sweeps = SweepsOfChunk(Chunks(), kPlenty, true);
  EXPECT_EQ(sweeps.size(), 5u);
  EXPECT_THAT(sweeps, Each(step));
  EXPECT_EQ(DenoisingSweep(Chunks(), true), step);
}

TEST(RolloutShapeTest, GuidanceDoublesEverySweep) {
  RolloutSpec spec = Chunks();
  spec.guidance = 3.0;
  const SweepLoad step = Both(Frames(3, 18), Frames(3, 18));
  EXPECT_EQ(SweepsOfChunk(spec, kPlenty, false).back(), step);
  EXPECT_THAT(SweepsOfFirstChunk(spec), Each(Both(Frames(3, 0), Frames(3, 0))));
}

TEST(RolloutShapeTest, TheFirstChunkHasNothingBehindIt) {
  RolloutSpec spec = Chunks();
  EXPECT_THAT(SweepsOfFirstChunk(spec),
              ElementsAre(Frames(3, 0), Frames(3, 0), Frames(3, 0), Frames(3, 0)));
  spec.start_latents = 3;
  EXPECT_TRUE(SweepsOfFirstChunk(spec).empty()) << "it is given";
}

TEST(RolloutShapeTest, AReplayIsCleanPassesTogetherAsFarAsTheyFit) {
  const SweepLoad clean = Frames(3, 18);
  EXPECT_THAT(SweepsOfReplay(Chunks(), {.first = 7, .end = 10}, kPlenty, false),
              ElementsAre(clean, clean, clean))
      << "a full window has room for one";
  const ReplaySpan spare = {.first = 7, .end = 10, .spare_frames = 3};
  EXPECT_THAT(SweepsOfReplay(Chunks(), spare, kPlenty, false),
              ElementsAre(Both(clean, clean), clean));
  EXPECT_THAT(SweepsOfReplay(Chunks(), spare, 6 * kRows - 1, false),
              ElementsAre(clean, clean, clean));
  EXPECT_THAT(SweepsOfReplay(Chunks(), {.first = 0, .end = 3}, kPlenty, false),
              ElementsAre(Both(Both(Frames(3, 0), Frames(3, 3)), Frames(3, 6))));
  EXPECT_TRUE(SweepsOfReplay(Chunks(), {.first = 7, .end = 7}, kPlenty, false).empty());
  SweepLoad from_file = clean;
  from_file.kv_layer_bytes = 18 * Chunks().kv_layout.file_layer_bytes();
  EXPECT_THAT(SweepsOfReplay(Chunks(), spare, kPlenty, true),
              ElementsAre(from_file, from_file, from_file));
}

TEST(RolloutShapeTest, AReplayMakesTheWindowAgainWhereItWas) {
  RolloutSpec spec = Chunks();
  spec.key_plan.sink_frames = 3;
  spec.guidance = 3.0;
  ReplaySpan span = {.first = 8, .end = 10, .changes = {8, 9, 9}};
  const SweepLoad clean = Both(Frames(3, 18), Frames(3, 18));
  EXPECT_THAT(SweepsOfReplay(spec, span, kPlenty, false), ElementsAre(clean, clean));
  spec.prompt_switch = PromptSwitch::kRecache;
  const SweepLoad kept = Frames(18, 3);
  EXPECT_THAT(SweepsOfReplay(spec, span, kPlenty, false), ElementsAre(kept, clean, kept, clean));
  spec.prompt_switch = PromptSwitch::kRecacheAndSink;
  const SweepLoad moved = Frames(21, 0);
  EXPECT_THAT(SweepsOfReplay(spec, span, kPlenty, false), ElementsAre(moved, clean, moved, clean));
  EXPECT_THAT(SweepsOfReplay(spec, {.first = 0, .end = 1, .changes = {0}}, kPlenty, false),
              ElementsAre(Both(Frames(3, 0), Frames(3, 0))))
      << "nothing was shown yet";
}

TEST(RolloutShapeTest, ATakeThatIsDoneOrRollsHasNoCleanPassesToReplay) {
  RolloutSpec spec = Chunks();
  spec.chunk_count = 10;
  EXPECT_TRUE(SweepsOfReplay(spec, {.first = 3, .end = 10}, kPlenty, false).empty());
  EXPECT_THAT(SweepsOfReplay(Rolling(), {.first = 8, .end = 10}, kPlenty, false),
              Each(SweepsOfChunk(Rolling(), kPlenty, false).front()));
}

TEST(RolloutShapeTest, AnOnlyChunkHasNoCleanPass) {
  RolloutSpec spec = Chunks();
  spec.chunk_count = 1;
  EXPECT_THAT(SweepsOfChunk(spec, kPlenty, false), Each(Frames(3, 0)));
  EXPECT_EQ(SweepsOfChunk(spec, kPlenty, false).size(), 4u);
}

}  // namespace
}  // namespace longtake
