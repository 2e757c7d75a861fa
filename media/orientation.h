// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How a picture is turned before it is shown: one of the eight ways that leave it a rectangle, as
// files say it by a display matrix or by EXIF. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/status_macros.h"

namespace longtake {

// Rows and columns are exchanged first, then the picture is mirrored.
struct Orientation {
  bool transposed = false;
  bool mirrored_x = false;  // left to right
  bool mirrored_y = false;  // top to bottom
};

// Of EXIF's tag 0x0112, 1 to 8; anything else shows the picture as it is.
Orientation OrientationOfExif(int64_t value);

// Of libav's display matrix (libavutil/display.h, nine numbers). UNIMPLEMENTED for an angle that is
// no multiple of 90 degrees.
absl::StatusOr<Orientation> OrientationOfMatrix(std::span<const int32_t, 9> matrix);

// What the eXIf chunk of a PNG file says (PNG, 3rd edition, 11.3.4.5), which libav does not read.
// Nothing when there is none or it is damaged.
std::optional<Orientation> OrientationOfPng(std::span<const uint8_t> file);

}  // namespace longtake
