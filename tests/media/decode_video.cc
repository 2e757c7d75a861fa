// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/media/decode_video.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "media/av_frame.h"
#include "media/av_ptr.h"
#include "media/av_status.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace longtake {
namespace {

struct MemoryFile {
  const std::string& bytes;
  int64_t position = 0;

  static int Read(void* opaque, uint8_t* out, int count) {
    auto* file = static_cast<MemoryFile*>(opaque);
    const int64_t left = static_cast<int64_t>(file->bytes.size()) - file->position;
    const auto taken = static_cast<int>(std::min<int64_t>(left, count));
    if (taken <= 0) return AVERROR_EOF;
    std::memcpy(out, file->bytes.data() + file->position, taken);
    file->position += taken;
    return taken;
  }

  static int64_t Seek(void* opaque, int64_t offset, int whence) {
    auto* file = static_cast<MemoryFile*>(opaque);
    if (whence == AVSEEK_SIZE) return static_cast<int64_t>(file->bytes.size());
    if (whence != SEEK_SET) return AVERROR(EINVAL);
    return file->position = offset;
  }
};

struct CloseInput {
  void operator()(AVFormatContext* input) const { avformat_close_input(&input); }
};
struct FreeIo {
  void operator()(AVIOContext* io) const {
    av_freep(&io->buffer);
    avio_context_free(&io);
  }
};

absl::StatusOr<std::vector<uint8_t>> ToRgb(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  SwsPtr scaler(sws_getContext(
      frame.width, frame.height, format, frame.width, frame.height, AV_PIX_FMT_RGB24,
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr, nullptr, nullptr));
  if (!scaler) return AvOutOfMemory("swscale");
  const int* matrix =
      sws_getCoefficients(frame.colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601);
  const int full_range = frame.color_range == AVCOL_RANGE_JPEG ? 1 : 0;
  sws_setColorspaceDetails(scaler.get(), matrix, full_range, matrix, 1, 0, 1 << 16, 1 << 16);
  const FrameSize size{frame.width, frame.height};
  LT_ASSIGN_OR_RETURN(AvFramePtr rgb_frame, NewAvFrame(size, AV_PIX_FMT_RGB24));
  const int rows = sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height,
                             rgb_frame->data, rgb_frame->linesize);
  LT_RETURN_IF_ERROR(AvStatus(rows, "swscale"));
  std::vector<uint8_t> rgb(size.frame_bytes());
  CopyAvFrameToRgb(*rgb_frame, rgb);
  return rgb;
}

absl::Status ReceiveFrames(AVCodecContext* codec, DecodedVideo& video) {
  while (true) {
    AvFramePtr frame(av_frame_alloc());
    const int code = avcodec_receive_frame(codec, frame.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return absl::OkStatus();
    LT_RETURN_IF_ERROR(AvStatus(code, "decoder"));
    const char* color_space = av_color_space_name(frame->colorspace);
    video.size = {frame->width, frame->height};
    video.pixel_format = av_get_pix_fmt_name(static_cast<AVPixelFormat>(frame->format));
    video.color_space = color_space == nullptr ? "" : color_space;
    LT_ASSIGN_OR_RETURN(std::vector<uint8_t> rgb, ToRgb(*frame));
    video.frames.push_back({std::move(rgb), frame->pts, frame->key_frame != 0});
  }
}

absl::StatusOr<AvCodecPtr> OpenDecoder(const AVStream& stream) {
  AvCodecPtr codec(avcodec_alloc_context3(avcodec_find_decoder(stream.codecpar->codec_id)));
  if (!codec) return AvOutOfMemory("decoder");
  LT_RETURN_IF_ERROR(
      AvStatus(avcodec_parameters_to_context(codec.get(), stream.codecpar), "decoder"));
  codec->err_recognition = AV_EF_EXPLODE;
  codec->thread_count = 1;
  LT_RETURN_IF_ERROR(AvStatus(avcodec_open2(codec.get(), codec->codec, nullptr), "decoder"));
  return codec;
}

}  // namespace

absl::StatusOr<DecodedVideo> DecodeVideo(const std::string& file) {
  constexpr int kBufferBytes = 1 << 16;
  MemoryFile memory{file};
  std::unique_ptr<AVIOContext, FreeIo> io(
      avio_alloc_context(static_cast<uint8_t*>(av_malloc(kBufferBytes)), kBufferBytes, 0, &memory,
                         MemoryFile::Read, nullptr, MemoryFile::Seek));
  AVFormatContext* raw = avformat_alloc_context();
  if (!io || raw == nullptr) return AvOutOfMemory("demuxer");
  raw->pb = io.get();
  // On failure libav has freed raw.
  LT_RETURN_IF_ERROR(AvStatus(avformat_open_input(&raw, nullptr, nullptr, nullptr), "demuxer"));
  std::unique_ptr<AVFormatContext, CloseInput> input(raw);
  LT_RETURN_IF_ERROR(AvStatus(avformat_find_stream_info(raw, nullptr), "demuxer"));
  if (raw->nb_streams != 1) return absl::InternalError("demuxer: not one stream");
  const AVStream& stream = *raw->streams[0];
  LT_ASSIGN_OR_RETURN(AvCodecPtr codec, OpenDecoder(stream));
  DecodedVideo video;
  if (stream.time_base.num != 1) return absl::InternalError("demuxer: time base is not 1/n");
  video.timescale = stream.time_base.den;
  if (stream.r_frame_rate.den == 1) video.fps = stream.r_frame_rate.num;
  while (true) {
    AvPacketPtr packet(av_packet_alloc());
    const int code = av_read_frame(raw, packet.get());
    if (code == AVERROR_EOF) break;
    LT_RETURN_IF_ERROR(AvStatus(code, "demuxer"));
    LT_RETURN_IF_ERROR(AvStatus(avcodec_send_packet(codec.get(), packet.get()), "decoder"));
    LT_RETURN_IF_ERROR(ReceiveFrames(codec.get(), video));
  }
  LT_RETURN_IF_ERROR(AvStatus(avcodec_send_packet(codec.get(), nullptr), "decoder"));
  LT_RETURN_IF_ERROR(ReceiveFrames(codec.get(), video));
  return video;
}

}  // namespace longtake
