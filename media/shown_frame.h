// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A decoded frame as a player shows it, in a wanted size: what the file says of pixel shape, colour
// matrix and range, transparency and orientation is applied here, before anything is cut off. For
// this folder and its tests.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status_macros.h"
#include "media/av_ptr.h"
#include "media/frames.h"
#include "media/orientation.h"

namespace longtake {

struct Showing {
  Orientation orientation;
  AVRational pixel_shape = {1, 1};  // width to height; 0 or less in it: square
};

// UNIMPLEMENTED, in words that continue the file's name, for what cannot be shown: high dynamic
// range and other transfer functions than those of ordinary screens, interlaced frames, colour
// matrices that swscale does not have.
absl::Status CheckShowable(const AVFrame& frame);

// [height][width][3] of the size: scaled to cover it, and what sticks out cut off on both sides
// alike. Transparent pixels are shown over black. A matrix that is not told is BT.601 up to 576
// lines, above BT.709. INVALID_ARGUMENT when the frame's size or shape is out of range,
// RESOURCE_EXHAUSTED when memory is short.
absl::StatusOr<std::vector<uint8_t>> ShowFrame(const AVFrame& frame, const Showing& showing,
                                               FrameSize size);

}  // namespace longtake
