// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/frame_reader.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "media/av_frame.h"
#include "media/av_ptr.h"
#include "media/av_status.h"

namespace longtake {
namespace {

struct CloseInput {
  void operator()(AVFormatContext* input) const { avformat_close_input(&input); }
};
using InputPtr = std::unique_ptr<AVFormatContext, CloseInput>;

// The size that covers the wanted one in the frame's own shape.
FrameSize CoverSize(const AVFrame& frame, FrameSize size) {
  const int64_t by_width = int64_t{frame.height} * size.width;
  const int64_t by_height = int64_t{frame.width} * size.height;
  if (by_width >= by_height) {
    return {size.width, static_cast<int>((by_width + frame.width - 1) / frame.width)};
  }
  return {static_cast<int>((by_height + frame.height - 1) / frame.height), size.height};
}

absl::StatusOr<AvFramePtr> ScaleToRgb(const AVFrame& frame, FrameSize size) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  SwsPtr scaler(sws_getContext(
      frame.width, frame.height, format, size.width, size.height, AV_PIX_FMT_RGB24,
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr, nullptr, nullptr));
  if (!scaler) return AvOutOfMemory("swscale");
  const int* matrix =
      sws_getCoefficients(frame.colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601);
  const int full_range = frame.color_range == AVCOL_RANGE_JPEG ? 1 : 0;
  sws_setColorspaceDetails(scaler.get(), matrix, full_range, matrix, 1, 0, 1 << 16, 1 << 16);
  LT_ASSIGN_OR_RETURN(AvFramePtr rgb, NewAvFrame(size, AV_PIX_FMT_RGB24));
  LT_RETURN_IF_ERROR(AvStatus(sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height,
                                        rgb->data, rgb->linesize),
                              "swscale"));
  return rgb;
}

// Scaled to cover, the middle cut out.
absl::StatusOr<std::vector<uint8_t>> FitFrame(const AVFrame& frame, FrameSize size) {
  LT_RETURN_IF_ERROR(ValidateFrameSize({frame.width, frame.height}));
  const FrameSize cover = CoverSize(frame, size);
  LT_RETURN_IF_ERROR(ValidateFrameSize(cover));
  LT_ASSIGN_OR_RETURN(const AvFramePtr rgb, ScaleToRgb(frame, cover));
  const int left = (cover.width - size.width) / 2;
  const int top = (cover.height - size.height) / 2;
  std::vector<uint8_t> out;
  out.reserve(size.frame_bytes());
  for (int y = 0; y < size.height; ++y) {
    const uint8_t* row = rgb->data[0] + int64_t{top + y} * rgb->linesize[0] + int64_t{3} * left;
    out.insert(out.end(), row, row + int64_t{3} * size.width);
  }
  return out;
}

class Reader {
 public:
  Reader(FrameSize size, int64_t frames_max) : size_(size), frames_max_(frames_max) {}

  absl::Status Read(const std::string& path) {
    AVFormatContext* opened = nullptr;
    LT_RETURN_IF_ERROR(
        AvStatus(avformat_open_input(&opened, path.c_str(), nullptr, nullptr), "cannot be opened"));
    input_.reset(opened);
    LT_RETURN_IF_ERROR(OpenDecoder());
    AvPacketPtr packet(av_packet_alloc());
    if (!packet) return AvOutOfMemory("packet");
    while (true) {
      const int code = av_read_frame(input_.get(), packet.get());
      if (code == AVERROR_EOF) break;
      absl::Status status = AvStatus(code, "is damaged");
      LT_RETURN_IF_ERROR(status);
      if (packet->stream_index == stream_) status = Decode(packet.get());
      av_packet_unref(packet.get());
      LT_RETURN_IF_ERROR(status);
    }
    return Decode(nullptr);
  }

  std::vector<uint8_t> Frames() const {
    std::vector<uint8_t> out;
    for (const std::vector<uint8_t>& frame : frames_) {
      out.insert(out.end(), frame.begin(), frame.end());
    }
    return out;
  }

 private:
  absl::Status OpenDecoder() {
    LT_RETURN_IF_ERROR(AvStatus(avformat_find_stream_info(input_.get(), nullptr), "no streams"));
    const AVCodec* decoder = nullptr;
    stream_ = av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    LT_RETURN_IF_ERROR(AvStatus(stream_, "no video"));
    codec_.reset(avcodec_alloc_context3(decoder));
    if (!codec_) return AvOutOfMemory("decoder");
    LT_RETURN_IF_ERROR(
        AvStatus(avcodec_parameters_to_context(codec_.get(), input_->streams[stream_]->codecpar),
                 "decoder"));
    return AvStatus(avcodec_open2(codec_.get(), decoder, nullptr), "decoder");
  }

  // Null ends the stream: what the decoder still holds comes out.
  absl::Status Decode(const AVPacket* packet) {
    LT_RETURN_IF_ERROR(AvStatus(avcodec_send_packet(codec_.get(), packet), "decoder"));
    while (true) {
      AvFramePtr frame(av_frame_alloc());
      if (!frame) return AvOutOfMemory("frame");
      const int code = avcodec_receive_frame(codec_.get(), frame.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return absl::OkStatus();
      LT_RETURN_IF_ERROR(AvStatus(code, "decoder"));
      LT_ASSIGN_OR_RETURN(std::vector<uint8_t> rgb, FitFrame(*frame, size_));
      frames_.push_back(std::move(rgb));
      if (static_cast<int64_t>(frames_.size()) > frames_max_) frames_.pop_front();
    }
  }

  const FrameSize size_;
  const int64_t frames_max_;
  InputPtr input_;
  int stream_ = -1;
  AvCodecPtr codec_;
  std::deque<std::vector<uint8_t>> frames_;
};

}  // namespace

absl::StatusOr<std::vector<uint8_t>> ReadLastFrames(const std::string& path, FrameSize size,
                                                    int64_t frames_max) {
  LT_RETURN_IF_ERROR(ValidateFrameSize(size));
  LT_CHECK(frames_max > 0);
  av_log_set_level(AV_LOG_FATAL);  // what libav would print, the status says
  Reader reader(size, frames_max);
  absl::Status status = reader.Read(path);
  std::vector<uint8_t> frames = reader.Frames();
  if (status.ok() && frames.empty()) status = absl::InvalidArgumentError("no frame");
  if (absl::IsResourceExhausted(status)) return Annotate(status, path);
  if (!status.ok()) {
    return absl::InvalidArgumentError(path + ": " + std::string(status.message()));
  }
  return frames;
}

}  // namespace longtake
