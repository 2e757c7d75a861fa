// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a player sees: decodes a whole file (MP4, YUV4MPEG2, PNG) from memory with libav.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "media/frames.h"

namespace longtake {

struct DecodedFrame {
  std::vector<uint8_t> rgb;  // [height][width][3]
  int64_t pts = 0;           // in ticks of DecodedVideo::timescale
  bool is_key = false;
};

struct DecodedVideo {
  FrameSize size;
  int64_t timescale = 0;  // ticks a second
  int fps = 0;            // as the container states it; 0 if it does not
  std::string pixel_format;
  std::string color_space;
  std::vector<DecodedFrame> frames;
};

// Any decoder error is an error here, not a frame left out.
absl::StatusOr<DecodedVideo> DecodeVideo(const std::string& file);

}  // namespace longtake
