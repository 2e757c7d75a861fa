// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/png_writer.h"

#include "absl/strings/str_cat.h"
#include "media/av_frame.h"
#include "media/av_ptr.h"
#include "media/av_status.h"

namespace longtake {
namespace {

constexpr char kWhat[] = "PNG encoder";

absl::StatusOr<AvCodecPtr> OpenPng(FrameSize size) {
  const AVCodec* png = avcodec_find_encoder(AV_CODEC_ID_PNG);
  if (png == nullptr) {
    return absl::FailedPreconditionError("libavcodec on this machine has no PNG encoder");
  }
  AvCodecPtr codec(avcodec_alloc_context3(png));
  if (!codec) return AvOutOfMemory(kWhat);
  codec->width = size.width;
  codec->height = size.height;
  codec->pix_fmt = AV_PIX_FMT_RGB24;
  codec->time_base = {1, 1};
  codec->thread_count = 1;
  AvOptions options;
  options.Set("pred", "mixed");  // a third smaller than without row filters
  LT_RETURN_IF_ERROR(AvStatus(avcodec_open2(codec.get(), png, options.get()), kWhat));
  return codec;
}

}  // namespace

absl::StatusOr<std::string> EncodePng(FrameSize size, std::span<const uint8_t> rgb) {
  LT_RETURN_IF_ERROR(ValidateFrameSize(size));
  if (rgb.size() != size.frame_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("png: ", rgb.size(), " bytes for a picture of ",
                                                   size.width, "x", size.height, "x3"));
  }
  LT_ASSIGN_OR_RETURN(AvFramePtr frame, NewAvFrame(size, AV_PIX_FMT_RGB24));
  CopyRgbToAvFrame(rgb, *frame);
  LT_ASSIGN_OR_RETURN(AvCodecPtr codec, OpenPng(size));
  AvPacketPtr packet(av_packet_alloc());
  if (!packet) return AvOutOfMemory(kWhat);
  LT_RETURN_IF_ERROR(AvStatus(avcodec_send_frame(codec.get(), frame.get()), kWhat));
  LT_RETURN_IF_ERROR(AvStatus(avcodec_receive_packet(codec.get(), packet.get()), kWhat));
  return std::string(reinterpret_cast<const char*>(packet->data), packet->size);
}

}  // namespace longtake
