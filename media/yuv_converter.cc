// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/yuv_converter.h"

#include <utility>

#include "media/av_status.h"

extern "C" {
#include <libavutil/opt.h>
}

namespace longtake {
namespace {

AVPixelFormat PixelFormat(YuvLayout layout) {
  return layout == YuvLayout::k420 ? AV_PIX_FMT_YUV420P : AV_PIX_FMT_YUV444P;
}

absl::StatusOr<SwsPtr> OpenScaler(const YuvConverter::Options& options) {
  SwsPtr scaler(sws_alloc_context());
  if (!scaler) return AvOutOfMemory("swscale");
  SwsContext* sws = scaler.get();
  av_opt_set_int(sws, "srcw", options.size.width, 0);
  av_opt_set_int(sws, "srch", options.size.height, 0);
  av_opt_set_int(sws, "dstw", options.size.width, 0);
  av_opt_set_int(sws, "dsth", options.size.height, 0);
  av_opt_set_pixel_fmt(sws, "src_format", AV_PIX_FMT_RGB24, 0);
  av_opt_set_pixel_fmt(sws, "dst_format", PixelFormat(options.layout), 0);
  av_opt_set_int(sws, "sws_flags",
                 SWS_BICUBIC | SWS_FULL_CHR_H_INP | SWS_ACCURATE_RND | SWS_BITEXACT, 0);
  if (options.layout == YuvLayout::k420) {
    // In 1/256 of a luma sample: on the left column, between the two rows.
    av_opt_set_int(sws, "dst_h_chr_pos", 0, 0);
    av_opt_set_int(sws, "dst_v_chr_pos", 128, 0);
  }
  const int* matrix =
      sws_getCoefficients(options.matrix == YuvMatrix::kBt709 ? SWS_CS_ITU709 : SWS_CS_ITU601);
  constexpr int kFullRange = 1, kLimitedRange = 0, kNeutral = 1 << 16;
  sws_setColorspaceDetails(sws, matrix, kFullRange, matrix, kLimitedRange, 0, kNeutral, kNeutral);
  LT_RETURN_IF_ERROR(AvStatus(sws_init_context(sws, nullptr, nullptr), "swscale"));
  return scaler;
}

}  // namespace

absl::StatusOr<YuvConverter> YuvConverter::Create(const Options& options) {
  LT_RETURN_IF_ERROR(ValidateFrameSize(options.size));
  if (options.layout == YuvLayout::k420) LT_RETURN_IF_ERROR(ValidateEvenSize(options.size));
  LT_ASSIGN_OR_RETURN(SwsPtr scaler, OpenScaler(options));
  AvFramePtr frame(av_frame_alloc());
  if (!frame) return AvOutOfMemory("video frame");
  frame->width = options.size.width;
  frame->height = options.size.height;
  frame->format = PixelFormat(options.layout);
  LT_RETURN_IF_ERROR(AvStatus(av_frame_get_buffer(frame.get(), 0), "video frame"));
  return YuvConverter(options.size, std::move(scaler), std::move(frame));
}

absl::StatusOr<AVFrame*> YuvConverter::Convert(std::span<const uint8_t> rgb) {
  LT_CHECK(rgb.size() == size_.frame_bytes());
  // An encoder may still hold the last frame; then libav gives this one fresh planes.
  LT_RETURN_IF_ERROR(AvStatus(av_frame_make_writable(frame_.get()), "video frame"));
  const uint8_t* const planes[] = {rgb.data()};
  const int strides[] = {3 * size_.width};
  const int rows =
      sws_scale(scaler_.get(), planes, strides, 0, size_.height, frame_->data, frame_->linesize);
  LT_RETURN_IF_ERROR(AvStatus(rows, "swscale"));
  return frame_.get();
}

}  // namespace longtake
