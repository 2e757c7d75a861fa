// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/take/latents.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace longtake {
namespace {

// 0, 1, 2, ... so that each value says where it was.
Latents Counted(int64_t channels, const LatentGrid& grid) {
  Latents latents(channels, grid);
  std::iota(latents.values().begin(), latents.values().end(), 0.0f);
  return latents;
}

std::vector<float> ValuesOf(const Latents& latents) {
  return {latents.values().begin(), latents.values().end()};
}

constexpr LatentGrid kFrame = {.frames = 1, .height = 1, .width = 2};

TEST(Latents, BeginAtZeroAndWithNoFrames) {
  EXPECT_EQ(Latents().frames(), 0);
  EXPECT_TRUE(Latents().values().empty());
  EXPECT_EQ(ValuesOf(Latents(2, kFrame)), (std::vector<float>{0, 0, 0, 0}));
}

// Two channels of three frames of two values: frame 1 is the middle of each channel.
TEST(Latents, AFrameLiesInEveryChannel) {
  const Latents latents = Counted(2, kFrame.WithFrames(3));
  EXPECT_EQ(ValuesOf(latents.Frames(1, 1)), (std::vector<float>{2, 3, 8, 9}));
  EXPECT_EQ(ValuesOf(latents.Frames(1, 2)), (std::vector<float>{2, 3, 4, 5, 8, 9, 10, 11}));
  Latents changed = latents;
  changed.SetFrames(2, Latents(2, kFrame, {-1, -2, -3, -4}));
  EXPECT_EQ(ValuesOf(changed), (std::vector<float>{0, 1, 2, 3, -1, -2, 6, 7, 8, 9, -3, -4}));
}

// However a take is cut into runs of frames, putting them back gives it again.
TEST(Latents, CopyingFramesOutAndInIsTheIdentity) {
  const LatentGrid grid = {.frames = 7, .height = 3, .width = 2};
  const Latents latents = Counted(5, grid);
  for (int64_t run = 1; run <= grid.frames; ++run) {
    Latents again(5, grid);
    for (int64_t first = 0; first < grid.frames; first += run) {
      again.SetFrames(first, latents.Frames(first, std::min(run, grid.frames - first)));
    }
    EXPECT_EQ(again, latents) << "runs of " << run;
  }
}

TEST(LatentsDeathTest, FramesMustExistAndHaveTheShape) {
  Latents latents(2, kFrame.WithFrames(3));
  EXPECT_DEATH(latents.Frames(2, 2), "");
  EXPECT_DEATH(latents.Frames(-1, 1), "");
  EXPECT_DEATH(latents.SetFrames(3, Latents(2, kFrame)), "");
  EXPECT_DEATH(latents.SetFrames(0, Latents(1, kFrame)), "");
  EXPECT_DEATH(latents.SetFrames(0, Latents(2, {.frames = 1, .height = 2, .width = 1})), "");
  EXPECT_DEATH(Latents(2, kFrame, {1, 2, 3}), "");
}

}  // namespace
}  // namespace longtake
