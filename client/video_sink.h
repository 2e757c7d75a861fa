// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where a stream's media goes: a file, a pipe, a folder of pictures. One implementation per format;
// the name of the output chooses. Nothing is made, opened or emptied before the first Write, so a
// take that is refused costs no file. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/status_macros.h"
#include "client/mp4_tail.h"

namespace longtake {

// What the server must send for an output.
enum class WireFormat { kFmp4, kRgb24 };

struct VideoShape {
  int width = 0;
  int height = 0;
  int fps = 0;
  int64_t frame_count = 0;  // 0: unknown
};

class VideoSink {
 public:
  virtual ~VideoSink() = default;
  virtual WireFormat wire_format() const = 0;
  // Before the first Write; init_segment is empty for RGB. Keeps both and touches nothing.
  virtual absl::Status Begin(const VideoShape& shape, const std::string& init_segment) = 0;
  // One whole chunk: a fragment, or frames [n, height, width, 3].
  virtual absl::Status Write(const std::string& media) = 0;
  // Makes the output complete; what was written before an error stays.
  virtual absl::Status Finish() = 0;
};

// By the name of the output:
//   x.mp4      fragmented MP4            -      the same, to standard output
//   x.y4m      YUV4MPEG2                 x/     PNG frames x/000000.png ...
//   x.png      contact sheet of 24 frames
// INVALID_ARGUMENT lists these for any other name. ALREADY_EXISTS for a folder with frames of an
// earlier take, which would mix with the new ones. UNAVAILABLE when the output cannot be written.
absl::StatusOr<std::unique_ptr<VideoSink>> MakeVideoSink(const std::string& output);

// Goes on with an MP4 behind its tail, which ReadMp4Tail found. Begin refuses a session whose
// video is of another kind.
absl::StatusOr<std::unique_ptr<VideoSink>> MakeContinuingSink(const std::string& path,
                                                              const Mp4Tail& tail);

}  // namespace longtake
