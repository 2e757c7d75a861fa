// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/png_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/media/decode_video.h"
#include "tests/media/test_frames.h"

namespace longtake {
namespace {

TEST(PngWriterTest, PixelsComeBackExactly) {
  for (FrameSize size : {FrameSize{64, 48}, FrameSize{33, 17}, FrameSize{1, 1}}) {
    const std::vector<uint8_t> noise = GreyNoise(size, 1, 3);
    const std::vector<uint8_t> shapes = MovingShapes(size, 5, 1);
    for (const auto& rgb : {noise, shapes}) {
      const auto file = EncodePng(size, rgb);
      ASSERT_TRUE(file.ok()) << file.status();
      EXPECT_EQ(file->substr(0, 4), "\x89PNG");
      const auto image = DecodeVideo(*file);
      ASSERT_TRUE(image.ok()) << image.status();
      ASSERT_EQ(image->frames.size(), 1u);
      EXPECT_EQ(image->size.width, size.width);
      EXPECT_EQ(image->size.height, size.height);
      EXPECT_EQ(image->frames[0].rgb, rgb);
    }
  }
}

TEST(PngWriterTest, RefusesWrongSizes) {
  const std::vector<uint8_t> rgb(64 * 48 * 3);
  EXPECT_EQ(EncodePng({64, 47}, rgb).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(EncodePng({0, 48}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(EncodePng({-64, -48}, rgb).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(EncodePng({1 << 30, 1 << 30}, rgb).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace longtake
