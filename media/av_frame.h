// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// libav frames with their planes, and packed RGB in and out of them. libav's kernels read and write
// past the end of rows; the planes made here are padded for that. For this folder and its tests.
#pragma once

#include <cstdint>
#include <span>

#include "base/status_macros.h"
#include "media/av_ptr.h"
#include "media/frames.h"

namespace longtake {

// RESOURCE_EXHAUSTED if there is no memory. The size must be valid.
absl::StatusOr<AvFramePtr> NewAvFrame(FrameSize size, AVPixelFormat format);

// rgb is one frame [height][width][3] of the RGB24 frame's size.
void CopyRgbToAvFrame(std::span<const uint8_t> rgb, AVFrame& frame);
void CopyAvFrameToRgb(const AVFrame& frame, std::span<uint8_t> rgb);

}  // namespace longtake
