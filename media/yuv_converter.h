// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// RGB24 frames to planar 8-bit YCbCr, limited range, by swscale with its exact, SIMD-independent
// paths, so that the same frames give the same bytes on every machine. For this folder only.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "base/status_macros.h"
#include "media/av_ptr.h"
#include "media/frames.h"

namespace longtake {

enum class YuvLayout { k420, k444 };  // k420 has its chroma at the left, as H.264 and MPEG-2
enum class YuvMatrix { kBt601, kBt709 };

// Not thread-safe: one converter per thread. Owns its two frames, overwritten by each conversion.
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
  YuvConverter(SwsPtr scaler, AvFramePtr rgb_frame, AvFramePtr yuv_frame)
      : scaler_(std::move(scaler)),
        rgb_frame_(std::move(rgb_frame)),
        yuv_frame_(std::move(yuv_frame)) {}

  SwsPtr scaler_;
  // swscale's SIMD code reads past the end of a row, so it never gets the caller's bytes, only this
  // copy, which libav pads.
  AvFramePtr rgb_frame_;
  AvFramePtr yuv_frame_;
};

}  // namespace longtake
