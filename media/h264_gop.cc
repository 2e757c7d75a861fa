// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/h264_gop.h"

#include <utility>

#include "media/av_status.h"
#include "media/yuv_converter.h"

extern "C" {
#include <libavutil/opt.h>
}

namespace longtake {
namespace {

constexpr char kWhat[] = "H.264 encoder";

// x264 writes its version and settings as a SEI message before every IDR picture. That is 700 bytes
// a chunk that no player reads, so SEI units (type 6) are dropped.
absl::StatusOr<AvBsfPtr> OpenSeiFilter(const AVCodecContext& codec) {
  AVBSFContext* raw = nullptr;
  const int code = av_bsf_list_parse_str("filter_units=remove_types=6", &raw);
  AvBsfPtr filter(raw);
  LT_RETURN_IF_ERROR(AvStatus(code, "SEI filter"));
  LT_RETURN_IF_ERROR(
      AvStatus(avcodec_parameters_from_context(filter->par_in, &codec), "SEI filter"));
  filter->time_base_in = codec.time_base;
  LT_RETURN_IF_ERROR(AvStatus(av_bsf_init(filter.get()), "SEI filter"));
  return filter;
}

// Moves what the encoder has ready through the filter to packets.
absl::Status DrainPackets(AVCodecContext* codec, AVBSFContext* filter,
                          std::vector<AvPacketPtr>& packets) {
  while (true) {
    AvPacketPtr packet(av_packet_alloc());
    if (!packet) return AvOutOfMemory(kWhat);
    const int code = avcodec_receive_packet(codec, packet.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return absl::OkStatus();
    LT_RETURN_IF_ERROR(AvStatus(code, kWhat));
    LT_RETURN_IF_ERROR(AvStatus(av_bsf_send_packet(filter, packet.get()), "SEI filter"));
    LT_RETURN_IF_ERROR(AvStatus(av_bsf_receive_packet(filter, packet.get()), "SEI filter"));
    packet->duration = 1;
    packets.push_back(std::move(packet));
  }
}

void SetPictureFormat(AVCodecContext* codec, const H264Options& options) {
  codec->width = options.size.width;
  codec->height = options.size.height;
  codec->pix_fmt = AV_PIX_FMT_YUV420P;
  codec->time_base = {1, options.fps};
  codec->framerate = {options.fps, 1};
  codec->sample_aspect_ratio = {1, 1};
  codec->color_primaries = AVCOL_PRI_BT709;
  codec->color_trc = AVCOL_TRC_BT709;
  codec->colorspace = AVCOL_SPC_BT709;
  codec->color_range = AVCOL_RANGE_MPEG;
  codec->chroma_sample_location = AVCHROMA_LOC_LEFT;
}

}  // namespace

absl::StatusOr<AvCodecPtr> OpenH264(const H264Options& options) {
  const AVCodec* x264 = avcodec_find_encoder_by_name("libx264");
  if (x264 == nullptr) {
    return absl::FailedPreconditionError("libavcodec on this machine has no libx264 encoder");
  }
  AvCodecPtr codec(avcodec_alloc_context3(x264));
  if (!codec) return AvOutOfMemory(kWhat);
  SetPictureFormat(codec.get(), options);
  codec->gop_size = kGopFramesMax;
  codec->max_b_frames = 0;
  codec->thread_count = 1;
  codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP;
  // libav would print to stderr, where a reader that stops would hold up the thread that encodes.
  // What goes wrong, the status says.
  av_log_set_level(AV_LOG_QUIET);

  AvOptions x264_options;
  x264_options.Set("preset", "veryfast");
  x264_options.Set("tune", "zerolatency");
  x264_options.SetInt("crf", options.crf);
  x264_options.SetInt("sc_threshold", 0);  // no key frame but the first
  // What x264 picks by CPU gives other bytes elsewhere and, measured with B frames, bytes that
  // change with what the heap held before.
  x264_options.Set("x264-params", "cpu-independent=1");
  LT_RETURN_IF_ERROR(AvStatus(avcodec_open2(codec.get(), x264, x264_options.get()), kWhat));
  return codec;
}

absl::StatusOr<std::vector<AvPacketPtr>> EncodeGop(const H264Options& options,
                                                   std::span<const uint8_t> rgb) {
  LT_ASSIGN_OR_RETURN(AvCodecPtr codec, OpenH264(options));
  LT_ASSIGN_OR_RETURN(AvBsfPtr filter, OpenSeiFilter(*codec));
  LT_ASSIGN_OR_RETURN(YuvConverter converter, YuvConverter::Create({.size = options.size}));
  const size_t frame_bytes = options.size.frame_bytes();
  std::vector<AvPacketPtr> packets;
  packets.reserve(rgb.size() / frame_bytes);
  for (int64_t pts = 0; !rgb.empty(); ++pts, rgb = rgb.subspan(frame_bytes)) {
    LT_ASSIGN_OR_RETURN(AVFrame * frame, converter.Convert(rgb.first(frame_bytes)));
    frame->pts = pts;
    LT_RETURN_IF_ERROR(AvStatus(avcodec_send_frame(codec.get(), frame), kWhat));
    LT_RETURN_IF_ERROR(DrainPackets(codec.get(), filter.get(), packets));
  }
  LT_RETURN_IF_ERROR(AvStatus(avcodec_send_frame(codec.get(), nullptr), kWhat));
  LT_RETURN_IF_ERROR(DrainPackets(codec.get(), filter.get(), packets));
  return packets;
}

}  // namespace longtake
