// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/yuv_converter.h"

#include <utility>

#include "media/av_frame.h"
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
  LT_ASSIGN_OR_RETURN(AvFramePtr rgb_frame, NewAvFrame(options.size, AV_PIX_FMT_RGB24));
  LT_ASSIGN_OR_RETURN(AvFramePtr yuv_frame, NewAvFrame(options.size, PixelFormat(options.layout)));
  return YuvConverter(std::move(scaler), std::move(rgb_frame), std::move(yuv_frame));
}

absl::StatusOr<AVFrame*> YuvConverter::Convert(std::span<const uint8_t> rgb) {
  CopyRgbToAvFrame(rgb, *rgb_frame_);
  // An encoder may still hold the last frame; then libav gives this one fresh planes.
  LT_RETURN_IF_ERROR(AvStatus(av_frame_make_writable(yuv_frame_.get()), "video frame"));
  const int rows = sws_scale(scaler_.get(), rgb_frame_->data, rgb_frame_->linesize, 0,
                             rgb_frame_->height, yuv_frame_->data, yuv_frame_->linesize);
  LT_RETURN_IF_ERROR(AvStatus(rows, "swscale"));
  return yuv_frame_.get();
}

}  // namespace longtake
