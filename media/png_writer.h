// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// RGB pictures as PNG files in memory. Thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/status_macros.h"
#include "media/frames.h"

namespace longtake {

// A whole PNG file. rgb is one frame [height][width][3]. INVALID_ARGUMENT if it is not of that
// size, RESOURCE_EXHAUSTED or INTERNAL when libav fails.
absl::StatusOr<std::string> EncodePng(FrameSize size, std::span<const uint8_t> rgb);

inline absl::StatusOr<std::string> EncodePng(const RgbImage& image) {
  return EncodePng(image.size, image.pixels);
}

}  // namespace longtake
