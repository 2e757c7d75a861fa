// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/av_frame.h"

#include "media/av_status.h"

extern "C" {
#include <libavutil/imgutils.h>
}

namespace longtake {
namespace {

void CheckIsRgb(const AVFrame& frame, size_t rgb_bytes) {
  LT_CHECK(frame.format == AV_PIX_FMT_RGB24);
  LT_CHECK((FrameSize{frame.width, frame.height}.frame_bytes() == rgb_bytes));
}

}  // namespace

absl::StatusOr<AvFramePtr> NewAvFrame(FrameSize size, AVPixelFormat format) {
  AvFramePtr frame(av_frame_alloc());
  if (!frame) return AvOutOfMemory("video frame");
  frame->width = size.width;
  frame->height = size.height;
  frame->format = format;
  LT_RETURN_IF_ERROR(AvStatus(av_frame_get_buffer(frame.get(), 0), "video frame"));
  return frame;
}

void CopyRgbToAvFrame(std::span<const uint8_t> rgb, AVFrame& frame) {
  CheckIsRgb(frame, rgb.size());
  const int row_bytes = 3 * frame.width;
  av_image_copy_plane(frame.data[0], frame.linesize[0], rgb.data(), row_bytes, row_bytes,
                      frame.height);
}

void CopyAvFrameToRgb(const AVFrame& frame, std::span<uint8_t> rgb) {
  CheckIsRgb(frame, rgb.size());
  const int row_bytes = 3 * frame.width;
  av_image_copy_plane(rgb.data(), row_bytes, frame.data[0], frame.linesize[0], row_bytes,
                      frame.height);
}

}  // namespace longtake
