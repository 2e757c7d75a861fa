// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The end of a video, or a picture, as RGB frames of a wanted size: what a take can begin with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "media/frames.h"

namespace longtake {

struct LastFrames {
  std::vector<uint8_t> rgb;  // [frame][height][width][3], at most as many as were asked for
  int64_t frames_read = 0;   // whole frames in all
  std::string damage;        // what could not be read, for people; empty when nothing was lost
};

// The last frames of the file, at most frames_max (1 or more), as a player shows them: turned,
// mirrored and of the shape that the file says, transparent pixels over black (shown_frame.h). A
// picture is one frame. They are scaled to cover the size, and what sticks out is cut off on both
// sides alike. Every frame counts alike, however long it is shown. Any format libav reads. A file
// that is cut or damaged gives its whole frames. INVALID_ARGUMENT naming the file when it cannot be
// opened, holds no video or not one whole frame; UNIMPLEMENTED for what cannot be shown, such as
// high dynamic range; RESOURCE_EXHAUSTED when memory is short. Holds frames_max frames at most.
absl::StatusOr<LastFrames> ReadLastFrames(const std::string& path, FrameSize size,
                                          int64_t frames_max);

}  // namespace longtake
