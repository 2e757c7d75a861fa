// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// RGB24 frames to planar 8-bit YCbCr, limited range, by swscale with its exact, SIMD-independent
// paths, so that the same frames give the same bytes on every machine. For this folder only.
#pragma once

#include <cstdint>
#include <span>

#include "base/status_macros.h"
#include "media/av_ptr.h"
#include "media/frames.h"

namespace longtake {

enum class YuvLayout { k420, k444 };  // k420 has its chroma at the left, as H.264 and MPEG-2
enum class YuvMatrix { kBt601, kBt709 };

// Not thread-safe: one converter per thread. Owns one frame, overwritten by each conversion.
class YuvConverter {
 public:
  struct Options {
    FrameSize size;  // even sides for k420
    YuvLayout layout = YuvLayout::k420;
    YuvMatrix matrix = YuvMatrix::kBt709;
  };

  static absl::StatusOr<YuvConverter> Create(const Options& options);

  // rgb is one frame [height][width][3]. The answer is valid until the next call; the caller may
  // set its pts. RESOURCE_EXHAUSTED or INTERNAL when libav fails.
  absl::StatusOr<AVFrame*> Convert(std::span<const uint8_t> rgb);

 private:
  YuvConverter(FrameSize size, SwsPtr scaler, AvFramePtr frame)
      : size_(size), scaler_(std::move(scaler)), frame_(std::move(frame)) {}

  FrameSize size_;
  SwsPtr scaler_;
  AvFramePtr frame_;
};

}  // namespace longtake
