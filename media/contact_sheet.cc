// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/contact_sheet.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

constexpr int kGapPixels = 2;
constexpr uint8_t kGapGrey = 128;

// The side of a row of tiles; 64 bits hold it for any count and any valid frame.
int64_t SidePixels(int64_t tile_count, int tile_side) {
  return tile_count * (int64_t{tile_side} + kGapPixels) - kGapPixels;
}

}  // namespace

std::vector<int64_t> EvenlySpacedFrames(int64_t frame_count, int tile_count) {
  const int64_t shown = std::min<int64_t>(frame_count, tile_count);
  std::vector<int64_t> frames;
  for (int64_t tile = 0; tile < shown; ++tile) {
    const double position = shown == 1 ? 0.0 : static_cast<double>(tile) / (shown - 1);
    frames.push_back(static_cast<int64_t>(position * (frame_count - 1) + 0.5));
  }
  return frames;
}

absl::StatusOr<RgbImage> TileFrames(FrameSize size, int columns, std::span<const uint8_t> rgb) {
  LT_RETURN_IF_ERROR(ValidateFrameSize(size));
  LT_ASSIGN_OR_RETURN(const int64_t frame_count, CountFrames(size, rgb));
  if (frame_count == 0) return absl::InvalidArgumentError("contact sheet: no frames");
  if (columns < 1) {
    return absl::InvalidArgumentError(absl::StrCat("contact sheet: columns ", columns, " below 1"));
  }
  const int64_t used_columns = std::min<int64_t>(columns, frame_count);
  const int64_t rows = (frame_count + used_columns - 1) / used_columns;
  const int64_t width = SidePixels(used_columns, size.width);
  const int64_t height = SidePixels(rows, size.height);
  if (width > FrameSize::kSideMax || height > FrameSize::kSideMax) {
    return absl::InvalidArgumentError(absl::StrCat("contact sheet: ", width, "x", height,
                                                   " is above ", FrameSize::kSideMax, " a side"));
  }
  RgbImage sheet{.size = {static_cast<int>(width), static_cast<int>(height)}, .pixels = {}};
  sheet.pixels.assign(sheet.size.frame_bytes(), kGapGrey);
  const size_t row_bytes = size_t{3} * size.width;
  for (int64_t frame = 0; frame < frame_count; ++frame) {
    const int64_t left = frame % used_columns * (size.width + kGapPixels);
    const int64_t top = frame / used_columns * (size.height + kGapPixels);
    const auto pixels = rgb.subspan(frame * size.frame_bytes(), size.frame_bytes());
    for (int y = 0; y < size.height; ++y) {
      std::copy_n(pixels.begin() + y * row_bytes, row_bytes,
                  sheet.pixels.begin() + 3 * ((top + y) * width + left));
    }
  }
  return sheet;
}

}  // namespace longtake
