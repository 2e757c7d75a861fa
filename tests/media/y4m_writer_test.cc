// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/y4m_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/media/decode_video.h"
#include "tests/media/test_frames.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr int kFps = 16;
constexpr int kFrames = 5;

DecodedVideo RoundTrip(const Y4mWriter::Options& options, std::span<const uint8_t> rgb) {
  const auto writer = Y4mWriter::Create(options);
  EXPECT_TRUE(writer.ok()) << writer.status();
  const size_t first_bytes = 2 * options.size.frame_bytes();
  const auto first = writer->EncodeFrames(rgb.first(first_bytes));
  const auto rest = writer->EncodeFrames(rgb.subspan(first_bytes));
  EXPECT_TRUE(first.ok() && rest.ok());
  const auto video = DecodeVideo(writer->Header() + *first + *rest);
  EXPECT_TRUE(video.ok()) << video.status();
  return *video;
}

void ExpectFrames(const DecodedVideo& video, std::span<const uint8_t> rgb, double psnr_db_min) {
  ASSERT_EQ(video.frames.size(), size_t{kFrames});
  EXPECT_EQ(video.fps, kFps);
  const size_t frame_bytes = video.size.frame_bytes();
  for (size_t i = 0; i < video.frames.size(); ++i) {
    EXPECT_EQ(video.frames[i].pts * kFps, static_cast<int64_t>(i) * video.timescale);
    EXPECT_GT(PsnrDb(rgb.subspan(i * frame_bytes, frame_bytes), video.frames[i].rgb), psnr_db_min);
  }
}

TEST(Y4mWriterTest, FullChromaComesBackNearlyExactly) {
  for (FrameSize size : {FrameSize{64, 48}, FrameSize{33, 17}}) {
    const std::vector<uint8_t> rgb = MovingShapes(size, 0, kFrames);
    const DecodedVideo video =
        RoundTrip({.size = size, .fps = kFps, .chroma = Y4mChroma::k444}, rgb);
    EXPECT_EQ(video.pixel_format, "yuv444p");
    ExpectFrames(video, rgb, 45.0);
  }
}

TEST(Y4mWriterTest, HalvedChromaComesBack) {
  constexpr FrameSize kSize{160, 96};
  const std::vector<uint8_t> rgb = MovingShapes(kSize, 0, kFrames);
  const DecodedVideo video = RoundTrip({.size = kSize, .fps = kFps}, rgb);
  EXPECT_EQ(video.pixel_format, "yuv420p");
  ExpectFrames(video, rgb, 30.0);
}

TEST(Y4mWriterTest, HalvedChromaKeepsGreyNearlyExactly) {
  constexpr FrameSize kSize{160, 96};
  const std::vector<uint8_t> rgb = GreyNoise(kSize, kFrames, 11);
  ExpectFrames(RoundTrip({.size = kSize, .fps = kFps}, rgb), rgb, 50.0);
}

// C420mpeg2 says that a chroma sample lies on its left luma column. On a ramp of blue that column's
// colour and the one half a pixel on differ by 0.9 of a level.
TEST(Y4mWriterTest, HalvedChromaLiesOnTheLeftColumn) {
  constexpr FrameSize kSize{64, 16};
  std::vector<uint8_t> rgb(kSize.frame_bytes());
  for (size_t i = 0; i < rgb.size(); i += 3) rgb[i + 2] = static_cast<uint8_t>(i / 3 % 64 * 4);
  const std::string bytes = *Y4mWriter::Create({.size = kSize, .fps = 16})->EncodeFrames(rgb);
  const size_t cb_begin = std::string("FRAME\n").size() + 64 * 16;
  double difference = 0.0;
  constexpr int kFirst = 4, kLast = 28;  // away from the picture's edges
  for (int x = kFirst; x < kLast; ++x) {
    const double expected = 128.0 + 112.0 * (2 * x * 4) / 255.0;
    difference += static_cast<uint8_t>(bytes.at(cb_begin + x)) - expected;
  }
  EXPECT_NEAR(difference / (kLast - kFirst), 0.0, 0.3);
}

TEST(Y4mWriterTest, HeaderNamesSizeRateAndChroma) {
  const auto writer = Y4mWriter::Create({.size = {64, 48}, .fps = 24, .chroma = Y4mChroma::k444});
  EXPECT_EQ(writer->Header(), "YUV4MPEG2 W64 H48 F24:1 Ip A1:1 C444 XCOLORRANGE=LIMITED\n");
  EXPECT_EQ(*writer->EncodeFrames({}), "");
}

TEST(Y4mWriterTest, RefusesWhatItCannotWrite) {
  const auto message = [](const Y4mWriter::Options& options) {
    return std::string(Y4mWriter::Create(options).status().message());
  };
  EXPECT_THAT(message({.size = {65, 48}, .fps = 16}), HasSubstr("65x48: 4:2:0"));
  EXPECT_THAT(message({.size = {0, 48}, .fps = 16}), HasSubstr("0x48: a side must be"));
  EXPECT_THAT(message({.size = {64, 48}, .fps = 0}), HasSubstr("fps 0"));
  const auto writer = Y4mWriter::Create({.size = {64, 48}, .fps = 16});
  const std::vector<uint8_t> part(64 * 48 * 3 - 1);
  EXPECT_EQ(writer->EncodeFrames(part).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace longtake
