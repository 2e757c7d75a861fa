// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/frames.h"

#include "absl/strings/str_cat.h"

namespace longtake {

absl::Status ValidateFrameSize(FrameSize size) {
  for (int side : {size.width, size.height}) {
    if (side < 1 || side > FrameSize::kSideMax) {
      return absl::InvalidArgumentError(absl::StrCat("frame size ", size.width, "x", size.height,
                                                     ": a side must be 1 to ",
                                                     FrameSize::kSideMax));
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateEvenSize(FrameSize size) {
  if (size.width % 2 == 0 && size.height % 2 == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("frame size ", size.width, "x", size.height,
                                                 ": 4:2:0 video needs even width and height"));
}

absl::StatusOr<int64_t> CountFrames(FrameSize size, std::span<const uint8_t> rgb) {
  if (rgb.size() % size.frame_bytes() != 0) {
    return absl::InvalidArgumentError(absl::StrCat("frames: ", rgb.size(),
                                                   " bytes are not whole frames of ", size.width,
                                                   "x", size.height, "x3"));
  }
  return static_cast<int64_t>(rgb.size() / size.frame_bytes());
}

}  // namespace longtake
