// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/shown_frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "media/av_frame.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

using Colour = std::array<uint8_t, 3>;
constexpr Colour kRed = {200, 0, 0}, kGreen = {0, 200, 0}, kBlue = {0, 0, 200},
                 kWhite = {200, 200, 200};

// Four quarters: red, green, blue, white, by rows.
AvFramePtr Quarters(FrameSize size) {
  AvFramePtr frame = *NewAvFrame(size, AV_PIX_FMT_RGB24);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      const bool right = x >= size.width / 2, low = y >= size.height / 2;
      const Colour& colour = low ? (right ? kWhite : kBlue) : (right ? kGreen : kRed);
      std::copy(colour.begin(), colour.end(), frame->data[0] + y * frame->linesize[0] + 3 * x);
    }
  }
  return frame;
}

// A plain frame of 4:2:0 with these values.
AvFramePtr Plain(FrameSize size, uint8_t y, uint8_t u, uint8_t v) {
  AvFramePtr frame = *NewAvFrame(size, AV_PIX_FMT_YUV420P);
  const uint8_t values[] = {y, u, v};
  for (int plane = 0; plane < 3; ++plane) {
    const int rows = plane == 0 ? size.height : size.height / 2;
    std::fill_n(frame->data[plane], frame->linesize[plane] * rows, values[plane]);
  }
  return frame;
}

Colour At(const std::vector<uint8_t>& rgb, FrameSize size, int x, int y) {
  const size_t at = static_cast<size_t>(3 * (y * size.width + x));
  return {rgb[at], rgb[at + 1], rgb[at + 2]};
}

std::vector<uint8_t> Show(const AVFrame& frame, const Showing& showing, FrameSize size) {
  EXPECT_TRUE(CheckShowable(frame).ok()) << CheckShowable(frame);
  const auto shown = ShowFrame(frame, showing, size);
  EXPECT_TRUE(shown.ok()) << shown.status();
  return *shown;
}

TEST(ShownFrameTest, AllEightOrientations) {
  const Colour corners[8][4] = {{kRed, kGreen, kBlue, kWhite}, {kGreen, kRed, kWhite, kBlue},
                                {kWhite, kBlue, kGreen, kRed}, {kBlue, kWhite, kRed, kGreen},
                                {kRed, kBlue, kGreen, kWhite}, {kBlue, kRed, kWhite, kGreen},
                                {kWhite, kGreen, kBlue, kRed}, {kGreen, kWhite, kRed, kBlue}};
  const AvFramePtr frame = Quarters({64, 32});
  for (int exif = 1; exif <= 8; ++exif) {
    const FrameSize size = exif >= 5 ? FrameSize{32, 64} : FrameSize{64, 32};
    const auto rgb = Show(*frame, {.orientation = OrientationOfExif(exif)}, size);
    for (int corner = 0; corner < 4; ++corner) {
      const int x = corner % 2 == 0 ? 2 : size.width - 3;
      const int y = corner < 2 ? 2 : size.height - 3;
      EXPECT_EQ(At(rgb, size, x, y), corners[exif - 1][corner]) << exif << " corner " << corner;
    }
  }
}

// A picture lying on its side is turned before it is cut: top and bottom are what goes.
TEST(ShownFrameTest, TurnedBeforeItIsCut) {
  const FrameSize size{32, 32};
  const auto rgb = Show(*Quarters({128, 32}), {.orientation = OrientationOfExif(6)}, size);
  EXPECT_EQ(At(rgb, size, 2, 2), kBlue);
  EXPECT_EQ(At(rgb, size, 29, 2), kRed);
  EXPECT_EQ(At(rgb, size, 2, 29), kWhite);
  EXPECT_EQ(At(rgb, size, 29, 29), kGreen);
}

// 32x32 pixels twice as wide as high are a picture of 2:1, which fits 64x32 whole.
TEST(ShownFrameTest, PixelsThatAreNotSquare) {
  const FrameSize wide{64, 32}, square{32, 32}, high{32, 64};
  const AvFramePtr frame = Quarters({32, 32});
  const auto rgb = Show(*frame, {.orientation = {}, .pixel_shape = {2, 1}}, wide);
  EXPECT_EQ(At(rgb, wide, 1, 1), kRed);
  EXPECT_EQ(At(rgb, wide, 62, 30), kWhite);
  EXPECT_EQ(Show(*frame, {.orientation = {}, .pixel_shape = {0, 1}}, square),
            Show(*frame, {}, square))
      << "not told: square";
  const auto turned =
      Show(*frame, {.orientation = OrientationOfExif(6), .pixel_shape = {2, 1}}, high);
  EXPECT_EQ(At(turned, high, 1, 1), kBlue);
  EXPECT_EQ(At(turned, high, 30, 62), kGreen);
  const auto absurd = ShowFrame(*frame, {.orientation = {}, .pixel_shape = {1, 100000}}, square);
  EXPECT_EQ(absurd.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ShownFrameTest, RangeAndMatrix) {
  const FrameSize size{32, 32};
  const auto shown = [&](AVFrame& frame) { return At(Show(frame, {}, size), size, 9, 9); };
  AvFramePtr grey = Plain(size, 235, 128, 128);
  EXPECT_EQ(shown(*grey), (Colour{255, 255, 255})) << "limited range, as when nothing is told";
  grey->color_range = AVCOL_RANGE_JPEG;
  EXPECT_EQ(shown(*grey), (Colour{235, 235, 235}));
  // A green that the three matrices see differently: R = Y' + 2 (1 - Kr) Cr and so on.
  const AvFramePtr green = Plain(size, 126, 100, 90);
  const auto near = [](const Colour& a, const Colour& b) {
    return std::abs(a[0] - b[0]) <= 1 && std::abs(a[1] - b[1]) <= 1 && std::abs(a[2] - b[2]) <= 1;
  };
  for (const auto& [space, colour] : {std::pair(AVCOL_SPC_SMPTE170M, Colour{67, 170, 72}),
                                      {AVCOL_SPC_BT470BG, Colour{67, 170, 72}},
                                      {AVCOL_SPC_UNSPECIFIED, Colour{67, 170, 72}},
                                      {AVCOL_SPC_BT709, Colour{60, 154, 69}},
                                      {AVCOL_SPC_BT2020_NCL, Colour{64, 158, 68}}}) {
    green->colorspace = space;
    const Colour got = shown(*green);
    EXPECT_TRUE(near(got, colour))
        << space << ": " << int{got[0]} << " " << int{got[1]} << " " << int{got[2]};
  }
  AvFramePtr high = Plain({64, 720}, 126, 100, 90);
  EXPECT_TRUE(near(shown(*high), Colour{60, 154, 69})) << "BT.709 where it is not told";
}

TEST(ShownFrameTest, GreyAloneIsFullRange) {
  const FrameSize size{32, 32};
  const AvFramePtr frame = *NewAvFrame(size, AV_PIX_FMT_GRAY8);
  std::fill_n(frame->data[0], frame->linesize[0] * size.height, uint8_t{100});
  EXPECT_EQ(At(Show(*frame, {}, size), size, 5, 5), (Colour{100, 100, 100}));
}

// What an invisible pixel holds is arbitrary.
TEST(ShownFrameTest, TransparentPixelsAreShownOverBlack) {
  const FrameSize size{32, 32};
  const AvFramePtr frame = *NewAvFrame(size, AV_PIX_FMT_RGBA);
  const auto fill = [&](uint8_t left_alpha, uint8_t right_alpha) {
    for (int y = 0; y < size.height; ++y) {
      for (int x = 0; x < size.width; ++x) {
        uint8_t* pixel = frame->data[0] + y * frame->linesize[0] + 4 * x;
        std::fill_n(pixel, 3, uint8_t{200});
        pixel[3] = x < 16 ? left_alpha : right_alpha;
      }
    }
    return Show(*frame, {}, size);
  };
  const auto rgb = fill(0, 128);
  EXPECT_EQ(At(rgb, size, 2, 9), (Colour{0, 0, 0}));
  EXPECT_EQ(At(rgb, size, 15, 9), (Colour{0, 0, 0})) << "up to the edge";
  EXPECT_EQ(At(rgb, size, 29, 9), (Colour{100, 100, 100}));
  EXPECT_EQ(At(fill(255, 255), size, 9, 9), (Colour{200, 200, 200}));
}

TEST(ShownFrameTest, WhatCannotBeShownIsRefusedByName) {
  const AvFramePtr frame = Plain({32, 32}, 100, 128, 128);
  const auto refusal = [&] {
    const absl::Status status = CheckShowable(*frame);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
    return std::string(status.message());
  };
  frame->color_trc = AVCOL_TRC_SMPTE2084;
  EXPECT_THAT(refusal(), HasSubstr("smpte2084"));
  frame->color_trc = AVCOL_TRC_ARIB_STD_B67;
  EXPECT_THAT(refusal(), HasSubstr("arib-std-b67"));
  frame->color_trc = AVCOL_TRC_LINEAR;
  EXPECT_THAT(refusal(), HasSubstr("linear"));
  frame->color_trc = AVCOL_TRC_BT709;
  EXPECT_TRUE(CheckShowable(*frame).ok());
  frame->colorspace = AVCOL_SPC_ICTCP;
  EXPECT_THAT(refusal(), HasSubstr("ictcp"));
  frame->colorspace = AVCOL_SPC_BT709;
  frame->interlaced_frame = 1;
  EXPECT_THAT(refusal(), HasSubstr("interlaced"));
}

}  // namespace
}  // namespace longtake
