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

// The last frames of the file, at most frames_max (1 or more), [frame][height][width][3]; a picture
// is one. Frames keep their shape: they are scaled to cover the size, and what sticks out is cut
// off on both sides alike. Any format libav reads. INVALID_ARGUMENT naming the file when it cannot
// be opened, holds no video or is damaged; RESOURCE_EXHAUSTED when memory is short. Holds
// frames_max frames at most.
absl::StatusOr<std::vector<uint8_t>> ReadLastFrames(const std::string& path, FrameSize size,
                                                    int64_t frames_max);

}  // namespace longtake
