// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One closed group of pictures in H.264, encoded by an encoder that is opened for it and dropped
// after it. So the packets depend on the options and the frames only, never on what was encoded
// before. For this folder only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "media/av_ptr.h"
#include "media/frames.h"

namespace longtake {

struct H264Options {
  FrameSize size;  // even sides
  int fps = 0;
  int crf = 0;
};

// The longest chunk, and x264's largest distance between key frames.
inline constexpr int kGopFramesMax = 1024;

// A fresh libx264 encoder: one thread, no B frames, no lookahead, BT.709 limited range, parameter
// sets in extradata. FAILED_PRECONDITION if this libavcodec was built without libx264.
absl::StatusOr<AvCodecPtr> OpenH264(const H264Options& options);

// Encodes 1..kGopFramesMax frames; one packet each in display order, the first an IDR picture. pts
// counts from 0 in 1/fps seconds.
absl::StatusOr<std::vector<AvPacketPtr>> EncodeGop(const H264Options& options,
                                                   std::span<const uint8_t> rgb);

}  // namespace longtake
