// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Many frames of a take on one picture, to look at a video without playing it. Thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "media/frames.h"

namespace longtake {

// Which frames to show: min(tile_count, frame_count) indices, ascending, evenly spaced from the
// first to the last. A client that reads a stream keeps only these. Both counts must be at least 0.
std::vector<int64_t> EvenlySpacedFrames(int64_t frame_count, int tile_count);

// Lays frames [frame][height][width][3] out in reading order, columns wide, with thin grey lines
// between them; unused tiles are grey. INVALID_ARGUMENT for part frames, none, columns < 1 or a
// sheet above FrameSize::kSideMax a side.
absl::StatusOr<RgbImage> TileFrames(FrameSize size, int columns, std::span<const uint8_t> rgb);

}  // namespace longtake
