// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The picture format of this folder: packed RGB24, 8 bits a channel, full range, rows without
// padding. A run of frames is one span [frame][height][width][3]; nothing here owns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status_macros.h"

namespace longtake {

// Pixels. Valid sizes are 1..kSideMax a side, so that no size computed from one can overflow.
struct FrameSize {
  static constexpr int kSideMax = 16384;

  int width = 0;
  int height = 0;

  size_t frame_bytes() const { return size_t{3} * width * height; }
};

// A picture that owns its pixels, for what is composed here.
struct RgbImage {
  FrameSize size;
  std::vector<uint8_t> pixels;
};

// INVALID_ARGUMENT if a side is outside 1..kSideMax.
absl::Status ValidateFrameSize(FrameSize size);

// INVALID_ARGUMENT if a side is odd: 4:2:0 video has one colour sample for two by two pixels.
absl::Status ValidateEvenSize(FrameSize size);

// How many frames rgb holds; INVALID_ARGUMENT unless that is a whole number. The size must be
// valid.
absl::StatusOr<int64_t> CountFrames(FrameSize size, std::span<const uint8_t> rgb);

}  // namespace longtake
