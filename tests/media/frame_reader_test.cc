// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/frame_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "media/fmp4_encoder.h"
#include "media/png_writer.h"
#include "tests/media/test_frames.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr FrameSize kSize{160, 96};

class FrameReaderTest : public testing::Test {
 protected:
  FrameReaderTest() {
    std::string name = (std::filesystem::temp_directory_path() / "longtake-media-XXXXXX").string();
    LT_CHECK(mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~FrameReaderTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  std::string WriteVideo(int frames) {
    const auto encoder = *Fmp4Encoder::Create({.width = 160, .height = 96, .fps = 16});
    std::string bytes = *encoder->InitSegment();
    bytes += *encoder->EncodeChunk({}, MovingShapes(kSize, 0, frames));
    return Write("clip.mp4", bytes);
  }

  std::filesystem::path folder_;
};

TEST_F(FrameReaderTest, TheLastFramesOfAVideo) {
  const std::string path = WriteVideo(20);
  const auto frames = ReadLastFrames(path, kSize, 5);
  ASSERT_TRUE(frames.ok()) << frames.status();
  ASSERT_EQ(frames->size(), 5 * kSize.frame_bytes());
  EXPECT_GT(PsnrDb(MovingShapes(kSize, 15, 5), *frames), 28.0);
  EXPECT_EQ(ReadLastFrames(path, kSize, 100)->size(), 20 * kSize.frame_bytes());
}

// Twice the width wanted: both sides are cut off alike.
TEST_F(FrameReaderTest, OtherShapesAreCutInTheMiddle) {
  constexpr FrameSize kWide{64, 32};
  std::vector<uint8_t> rgb(kWide.frame_bytes());
  for (int y = 0; y < kWide.height; ++y) {
    for (int x = 0; x < kWide.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        rgb[static_cast<size_t>((y * kWide.width + x) * 3 + c)] = x < 16 || x >= 48 ? 255 : 40;
      }
    }
  }
  const auto png = EncodePng(kWide, rgb);
  ASSERT_TRUE(png.ok()) << png.status();
  const auto frames = ReadLastFrames(Write("wide.png", *png), {32, 32}, 9);
  ASSERT_TRUE(frames.ok()) << frames.status();
  ASSERT_EQ(frames->size(), size_t{32 * 32 * 3});
  for (uint8_t value : *frames) ASSERT_EQ(value, 40);
  const auto small = ReadLastFrames(Write("wide.png", *png), {16, 16}, 9);
  EXPECT_EQ(small->size(), size_t{16 * 16 * 3});
}

// Frames from the middle of a video must not pass for its last ones.
TEST_F(FrameReaderTest, ACutVideoIsDamaged) {
  std::ifstream file(WriteVideo(20), std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  bytes.resize(bytes.size() * 2 / 3);
  const auto frames = ReadLastFrames(Write("cut.mp4", bytes), kSize, 5);
  EXPECT_EQ(frames.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(FrameReaderTest, WhatIsNoVideoNamesTheFile) {
  const auto message = [](const std::string& path) {
    const absl::Status status = ReadLastFrames(path, kSize, 5).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message("/nonexistent.mp4"), HasSubstr("/nonexistent.mp4: cannot be opened"));
  EXPECT_THAT(message(Write("text.txt", "no picture at all\n")), HasSubstr("text.txt"));
  EXPECT_THAT(message(Write("empty.mp4", "")), HasSubstr("empty.mp4"));
}

}  // namespace
}  // namespace longtake
