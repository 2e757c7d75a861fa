// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/latent_grid.h"

#include <gtest/gtest.h>

namespace longtake {
namespace {

TEST(LatentGrid, PixelsOfAPictureAreCountedInEights) {
  const LatentGrid frame = LatentGrid::FromPixels(/*width=*/832, /*height=*/480);
  EXPECT_EQ(frame, (LatentGrid{.frames = 1, .height = 60, .width = 104}));
  EXPECT_EQ(frame.area(), 6240);
  EXPECT_EQ(frame.WithFrames(3), (LatentGrid{.frames = 3, .height = 60, .width = 104}));
  EXPECT_EQ(frame.WithFrames(3).volume(), 18720);
}

TEST(LatentGrid, TheFirstLatentFrameIsOnePixelFrame) {
  EXPECT_EQ(LatentGrid::PixelFrames(0), 0);
  EXPECT_EQ(LatentGrid::PixelFrames(1), 1);
  EXPECT_EQ(LatentGrid::PixelFrames(2), 5);
  EXPECT_EQ(LatentGrid::PixelFrames(3), 9);
  EXPECT_EQ(LatentGrid::PixelFrames(21), 81);
  EXPECT_EQ(LatentGrid::LaterPixelFrames(3), 12);
}

// The first chunk of three is 9 frames, each later one 12.
TEST(LatentGrid, ATakeHasTheChunksThatHoldItsFrames) {
  EXPECT_EQ(LatentGrid::ChunkCount(0, 3), 0);
  EXPECT_EQ(LatentGrid::ChunkCount(1, 3), 1);
  EXPECT_EQ(LatentGrid::ChunkCount(9, 3), 1);
  EXPECT_EQ(LatentGrid::ChunkCount(10, 3), 2);
  EXPECT_EQ(LatentGrid::ChunkCount(21, 3), 2);
  EXPECT_EQ(LatentGrid::ChunkCount(22, 3), 3);
  EXPECT_EQ(LatentGrid::ChunkCount(81, 21), 1);
  EXPECT_EQ(LatentGrid::ChunkCount(82, 21), 2);
}

TEST(LatentGrid, LatentFramesAreTheLeastThatHoldThePixelFrames) {
  EXPECT_EQ(LatentGrid::LatentFrames(-3), 0);
  EXPECT_EQ(LatentGrid::LatentFrames(0), 0);
  for (int64_t frames = 1; frames < 400; ++frames) {
    const int64_t latents = LatentGrid::LatentFrames(frames);
    EXPECT_GE(LatentGrid::PixelFrames(latents), frames);
    EXPECT_LT(LatentGrid::PixelFrames(latents - 1), frames);
  }
  for (int64_t latents = 0; latents < 100; ++latents) {
    EXPECT_EQ(LatentGrid::LatentFrames(LatentGrid::PixelFrames(latents)), latents);
  }
}

}  // namespace
}  // namespace longtake
