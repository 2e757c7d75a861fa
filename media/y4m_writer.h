// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// RGB frames as YUV4MPEG2, the raw video format that players and encoders read from a pipe
// (yuv4mpeg(5) of mjpegtools). The format has no field for the colour matrix; readers assume BT.601
// limited range, so that is what is written.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/status_macros.h"
#include "media/frames.h"

namespace longtake {

enum class Y4mChroma {
  k420,  // C420mpeg2: even sizes only
  k444,  // C444: full colour resolution, twice the bytes
};

// Turns frames into bytes; the caller writes them to a file or pipe. Holds no state between calls,
// thread-safe.
class Y4mWriter {
 public:
  struct Options {
    FrameSize size;
    int fps = 0;  // whole frames a second
    Y4mChroma chroma = Y4mChroma::k420;
  };

  // INVALID_ARGUMENT naming what is wrong with the size or fps.
  static absl::StatusOr<Y4mWriter> Create(const Options& options);

  // The first line of the stream; comes before all frames, once.
  std::string Header() const;

  // rgb is [frame][height][width][3]; none gives an empty string. INVALID_ARGUMENT for part frames.
  absl::StatusOr<std::string> EncodeFrames(std::span<const uint8_t> rgb) const;

 private:
  explicit Y4mWriter(const Options& options) : options_(options) {}

  Options options_;
};

}  // namespace longtake
