// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/contact_sheet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ContactSheetTest, FramesAreEvenlySpacedFromFirstToLast) {
  EXPECT_THAT(EvenlySpacedFrames(160, 4), ElementsAre(0, 53, 106, 159));
  EXPECT_THAT(EvenlySpacedFrames(3, 5), ElementsAre(0, 1, 2));
  EXPECT_THAT(EvenlySpacedFrames(9, 1), ElementsAre(0));
  EXPECT_THAT(EvenlySpacedFrames(9, 0), IsEmpty());
  EXPECT_THAT(EvenlySpacedFrames(0, 9), IsEmpty());
}

// The grey level of one pixel; all test frames are flat and grey.
int Pixel(const RgbImage& image, int x, int y) {
  return image.pixels[3 * (y * image.size.width + x)];
}

TEST(ContactSheetTest, TilesStandInReadingOrder) {
  constexpr FrameSize kSize{4, 3};
  std::vector<uint8_t> rgb;
  for (uint8_t grey : {10, 20, 30, 40, 50}) rgb.insert(rgb.end(), kSize.frame_bytes(), grey);
  const auto sheet = TileFrames(kSize, 3, rgb);
  ASSERT_TRUE(sheet.ok()) << sheet.status();
  EXPECT_EQ(sheet->size.width, 3 * 4 + 2 * 2);
  EXPECT_EQ(sheet->size.height, 2 * 3 + 2);
  ASSERT_EQ(sheet->pixels.size(), sheet->size.frame_bytes());
  constexpr int kGap = 128;
  for (int y = 0; y < sheet->size.height; ++y) {
    const std::array<int, 3> row = y < 3   ? std::array{10, 20, 30}
                                   : y < 5 ? std::array{kGap, kGap, kGap}
                                           : std::array{40, 50, kGap};
    for (int x = 0; x < sheet->size.width; ++x) {
      EXPECT_EQ(Pixel(*sheet, x, y), x % 6 < 4 ? row[x / 6] : kGap) << x << "," << y;
    }
  }
}

TEST(ContactSheetTest, FewerFramesThanColumnsMakeANarrowSheet) {
  const std::vector<uint8_t> rgb(2 * 4 * 3 * 3);
  const auto sheet = TileFrames({4, 3}, 8, rgb);
  ASSERT_TRUE(sheet.ok()) << sheet.status();
  EXPECT_EQ(sheet->size.width, 10);
  EXPECT_EQ(sheet->size.height, 3);
}

TEST(ContactSheetTest, RefusesWhatCannotBeASheet) {
  const std::vector<uint8_t> rgb(4 * 3 * 3);
  const auto message = [](const absl::StatusOr<RgbImage>& sheet) {
    EXPECT_EQ(sheet.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(sheet.status().message());
  };
  EXPECT_THAT(message(TileFrames({4, 3}, 1, {})), HasSubstr("no frames"));
  EXPECT_THAT(message(TileFrames({4, 3}, 0, rgb)), HasSubstr("columns 0"));
  EXPECT_THAT(message(TileFrames({4, 4}, 1, rgb)), HasSubstr("not whole frames"));
  EXPECT_THAT(message(TileFrames({4, 0}, 1, rgb)), HasSubstr("4x0"));
  const std::vector<uint8_t> many(6000 * 3);
  EXPECT_THAT(message(TileFrames({1, 1}, 6000, many)), HasSubstr("above 16384"));
}

}  // namespace
}  // namespace longtake
