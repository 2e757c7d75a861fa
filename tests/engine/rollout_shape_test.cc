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

TEST(RolloutShapeTest, AnOnlyChunkHasNoCleanPass) {
  RolloutSpec spec = Chunks();
  spec.chunk_count = 1;
  EXPECT_THAT(SweepsOfChunk(spec, kPlenty, false), Each(Frames(3, 0)));
  EXPECT_EQ(SweepsOfChunk(spec, kPlenty, false).size(), 4u);
}

}  // namespace
}  // namespace longtake
