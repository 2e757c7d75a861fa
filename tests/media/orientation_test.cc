// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/orientation.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

extern "C" {
#include <libavutil/display.h>
}

namespace longtake {
namespace {

std::string Text(const Orientation& o) {
  return std::string(o.transposed ? "t" : "") + (o.mirrored_x ? "x" : "") +
         (o.mirrored_y ? "y" : "");
}

// The same eight by libav's own words for them: an angle against the clock, then mirrored.
TEST(OrientationTest, MatricesAndExifAgree) {
  struct Case {
    int exif;
    double angle;
    bool flip_x;
    const char* text;
  };
  for (const Case& c : {Case{1, 0, false, ""},
                        {2, 0, true, "x"},
                        {3, 180, false, "xy"},
                        {4, 180, true, "y"},
                        {5, -90, true, "t"},
                        {6, -90, false, "tx"},
                        {7, 90, true, "txy"},
                        {8, 90, false, "ty"}}) {
    std::array<int32_t, 9> matrix;
    av_display_rotation_set(matrix.data(), -c.angle);
    if (c.flip_x) av_display_matrix_flip(matrix.data(), 1, 0);
    // libav's setter takes the angle clockwise, its getter gives it against the clock.
    ASSERT_NEAR(c.flip_x ? 0 : av_display_rotation_get(matrix.data()), c.flip_x ? 0 : c.angle,
                c.angle == 180 ? 361 : 1e-6);
    EXPECT_EQ(Text(OrientationOfExif(c.exif)), c.text);
    const auto orientation = OrientationOfMatrix(matrix);
    ASSERT_TRUE(orientation.ok());
    EXPECT_EQ(Text(*orientation), c.text) << c.exif;
  }
  EXPECT_EQ(Text(OrientationOfExif(0)), "");
  EXPECT_EQ(Text(OrientationOfExif(9)), "");
}

TEST(OrientationTest, OtherAnglesAreRefused) {
  std::array<int32_t, 9> matrix;
  for (const double angle : {45.0, 10.0, -135.0}) {
    av_display_rotation_set(matrix.data(), angle);
    EXPECT_EQ(OrientationOfMatrix(matrix).status().code(), absl::StatusCode::kUnimplemented);
  }
  EXPECT_TRUE(OrientationOfMatrix(std::array<int32_t, 9>{}).ok()) << "never filled in";
}

std::string Chunk(const std::string& type, const std::string& data) {
  std::string length(4, '\0');
  for (int i = 0; i < 4; ++i) length[i] = static_cast<char>(data.size() >> (24 - 8 * i));
  return length + type + data + "crc!";
}

std::optional<Orientation> OfPng(const std::string& chunks) {
  const std::string file = "\x89PNG\r\n\x1a\n" + chunks;
  return OrientationOfPng({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
}

TEST(OrientationTest, PngInBothByteOrdersAndCutAnywhere) {
  const std::string little("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0", 26);
  const std::string big("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0", 26);
  for (const std::string& tiff : {little, big}) {
    const std::string chunks = Chunk("IHDR", std::string(13, '\0')) + Chunk("eXIf", tiff);
    ASSERT_TRUE(OfPng(chunks).has_value());
    EXPECT_EQ(Text(*OfPng(chunks)), "tx");
    for (size_t bytes = 0; bytes < chunks.size(); ++bytes) {
      EXPECT_FALSE(OfPng(chunks.substr(0, bytes)).has_value()) << bytes;
    }
    for (size_t bytes = 0; bytes < 20; ++bytes) {
      EXPECT_FALSE(OfPng(Chunk("eXIf", tiff.substr(0, bytes))).has_value()) << bytes;
    }
  }
  EXPECT_FALSE(OfPng(Chunk("IDAT", "x")).has_value());
}

}  // namespace
}  // namespace longtake
