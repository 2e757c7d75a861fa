// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/frame_reader.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "base/file_system.h"
#include "base/git_lfs.h"
#include "media/av_ptr.h"
#include "media/av_status.h"
#include "media/orientation.h"
#include "media/shown_frame.h"

namespace longtake {
namespace {

struct CloseInput {
  void operator()(AVFormatContext* input) const { avformat_close_input(&input); }
};
using InputPtr = std::unique_ptr<AVFormatContext, CloseInput>;

class Reader {
 public:
  Reader(FrameSize size, int64_t frames_max) : size_(size), frames_max_(frames_max) {}

  absl::Status Read(const std::string& path) {
    AVFormatContext* opened = nullptr;
    LT_RETURN_IF_ERROR(
        AvStatus(avformat_open_input(&opened, path.c_str(), nullptr, nullptr),
                 "cannot be opened (no picture or video, or one without its beginning or index)"));
    input_.reset(opened);
    LT_RETURN_IF_ERROR(OpenDecoder());
    AvPacketPtr packet(av_packet_alloc());
    if (!packet) return AvOutOfMemory("packet");
    while (true) {
      const int code = av_read_frame(input_.get(), packet.get());
      if (code == AVERROR_EOF) break;
      if (code < 0) {
        LT_RETURN_IF_ERROR(Lost(AvStatus(code, "its end cannot be read"), packet_));
        break;
      }
      absl::Status status;
      if (packet->stream_index == stream_) status = Decode(packet.get());
      NoteEnd(*packet);
      av_packet_unref(packet.get());
      LT_RETURN_IF_ERROR(status);
    }
    LT_RETURN_IF_ERROR(Receive(avcodec_send_packet(codec_.get(), nullptr)));
    return CheckEnd();
  }

  LastFrames Take() {
    LastFrames out{.rgb = {}, .frames_read = frames_read_, .damage = damage_};
    for (const std::vector<uint8_t>& frame : frames_) {
      out.rgb.insert(out.rgb.end(), frame.begin(), frame.end());
    }
    return out;
  }

 private:
  absl::Status OpenDecoder() {
    LT_RETURN_IF_ERROR(AvStatus(avformat_find_stream_info(input_.get(), nullptr), "no streams"));
    const AVCodec* decoder = nullptr;
    stream_ = av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    LT_RETURN_IF_ERROR(AvStatus(stream_, "no video in it, or cut before its index"));
    codec_.reset(avcodec_alloc_context3(decoder));
    if (!codec_) return AvOutOfMemory("decoder");
    LT_RETURN_IF_ERROR(
        AvStatus(avcodec_parameters_to_context(codec_.get(), stream().codecpar), "decoder"));
    const AVCodecDescriptor* descriptor = avcodec_descriptor_get(decoder->id);
    // Half a picture would be filled up with grey. Where frames depend on each other, the decoder
    // marks what it had to make up.
    if (descriptor != nullptr && (descriptor->props & AV_CODEC_PROP_INTRA_ONLY) != 0) {
      codec_->err_recognition |= AV_EF_EXPLODE;
    }
    return AvStatus(avcodec_open2(codec_.get(), decoder, nullptr), "decoder");
  }

  AVStream& stream() const { return *input_->streams[stream_]; }

  // Some formats pass over what is cut at their end without a word: raw frames, whose last one is
  // then shorter than it should be, and those that tell in their header how long they are.
  absl::Status CheckEnd() {
    constexpr int64_t kFrameHeaderBytesMax = 128;
    constexpr int64_t kMissingMax = AV_TIME_BASE / 5;
    if (codec_->codec_id == AV_CODEC_ID_RAWVIDEO &&
        avio_size(input_->pb) > packets_end_ + kFrameHeaderBytesMax) {
      return Lost(absl::DataLossError("the last frame is cut"), packet_);
    }
    const int64_t start = input_->start_time == AV_NOPTS_VALUE ? 0 : input_->start_time;
    const bool is_told = input_->duration != AV_NOPTS_VALUE &&
                         input_->duration_estimation_method == AVFMT_DURATION_FROM_STREAM;
    if (is_told && packets_end_time_ != AV_NOPTS_VALUE &&
        packets_end_time_ - start < input_->duration - kMissingMax) {
      return Lost(absl::DataLossError("it ends before the time that its header tells"), packet_);
    }
    return absl::OkStatus();
  }

  void NoteEnd(const AVPacket& packet) {
    packets_end_ = std::max(packets_end_, packet.pos + packet.size);
    if (packet.pts == AV_NOPTS_VALUE) return;
    const int64_t end =
        av_rescale_q(packet.pts + packet.duration, input_->streams[packet.stream_index]->time_base,
                     AV_TIME_BASE_Q);
    packets_end_time_ = std::max(packets_end_time_, end);
  }

  // Bytes that cannot be used are left out; only memory that is short ends the reading.
  absl::Status Lost(const absl::Status& why, int64_t packet) {
    if (absl::IsResourceExhausted(why)) return why;
    if (damage_.empty()) damage_ = std::string(why.message());
    lost_packet_ = packet;
    return absl::OkStatus();
  }

  absl::Status Decode(const AVPacket* packet) {
    codec_->reordered_opaque = ++packet_;
    if ((packet->flags & AV_PKT_FLAG_CORRUPT) != 0) {
      return Lost(absl::DataLossError("a packet is cut"), packet_);
    }
    if (codec_->codec_id == AV_CODEC_ID_PNG) {
      png_orientation_ = OrientationOfPng({packet->data, static_cast<size_t>(packet->size)});
    }
    return Receive(avcodec_send_packet(codec_.get(), packet));
  }

  // Everything the decoder has ready, after a packet was sent with this result.
  absl::Status Receive(int sent) {
    if (sent < 0) LT_RETURN_IF_ERROR(Lost(AvStatus(sent, "a packet does not decode"), packet_));
    while (true) {
      AvFramePtr frame(av_frame_alloc());
      if (!frame) return AvOutOfMemory("frame");
      const int code = avcodec_receive_frame(codec_.get(), frame.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return absl::OkStatus();
      if (code < 0) return Lost(AvStatus(code, "a packet does not decode"), packet_);
      LT_RETURN_IF_ERROR(Keep(*frame));
    }
  }

  // Frames after a lost packet are made of pictures that were never seen, up to the next key frame.
  // Those that came into the decoder before it come out late, but whole.
  absl::Status Keep(const AVFrame& frame) {
    if (frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0) {
      return Lost(absl::DataLossError("a frame is incomplete"), frame.reordered_opaque);
    }
    if (lost_packet_ >= 0 && frame.reordered_opaque >= lost_packet_) {
      if (frame.key_frame == 0) return absl::OkStatus();
      lost_packet_ = -1;
    }
    LT_RETURN_IF_ERROR(CheckShowable(frame));
    LT_ASSIGN_OR_RETURN(const Orientation orientation, OrientationOf(frame));
    LT_ASSIGN_OR_RETURN(std::vector<uint8_t> rgb,
                        ShowFrame(frame,
                                  {.orientation = orientation,
                                   .pixel_shape = av_guess_sample_aspect_ratio(
                                       input_.get(), &stream(), const_cast<AVFrame*>(&frame))},
                                  size_));
    frames_.push_back(std::move(rgb));
    ++frames_read_;
    if (static_cast<int64_t>(frames_.size()) > frames_max_) frames_.pop_front();
    return absl::OkStatus();
  }

  // The container's word goes before the frame's own, as in players.
  absl::StatusOr<Orientation> OrientationOf(const AVFrame& frame) const {
    const uint8_t* matrix = av_stream_get_side_data(&stream(), AV_PKT_DATA_DISPLAYMATRIX, nullptr);
    if (matrix == nullptr) {
      const AVFrameSideData* side = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX);
      if (side != nullptr) matrix = side->data;
    }
    if (matrix != nullptr) {
      std::array<int32_t, 9> numbers;
      std::memcpy(numbers.data(), matrix, sizeof(numbers));
      return OrientationOfMatrix(numbers);
    }
    if (png_orientation_.has_value()) return *png_orientation_;
    const AVDictionaryEntry* exif = av_dict_get(frame.metadata, "Orientation", nullptr, 0);
    return exif == nullptr ? Orientation() : OrientationOfExif(std::atoi(exif->value));
  }

  const FrameSize size_;
  const int64_t frames_max_;
  InputPtr input_;
  int stream_ = -1;
  AvCodecPtr codec_;
  int64_t packet_ = 0;                         // the latest
  int64_t packets_end_ = 0;                    // bytes of the file up to the end of the last packet
  int64_t packets_end_time_ = AV_NOPTS_VALUE;  // of all streams, in AV_TIME_BASE
  int64_t lost_packet_ = -1;                   // since which no key frame came; -1: none
  std::optional<Orientation> png_orientation_;
  std::deque<std::vector<uint8_t>> frames_;
  int64_t frames_read_ = 0;
  std::string damage_;  // the first
};

// Asked after a failure. A pipe is not opened a second time.
absl::Status CheckIsNoLfsPointerFile(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return absl::OkStatus();
  std::string beginning(kLfsPointerStart.size(), '\0');
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                      PosixFileSystem().OpenRead(path, ReadMode::kBuffered));
  LT_RETURN_IF_ERROR(file->ReadAt(0, std::as_writable_bytes(std::span(beginning))));
  return CheckIsNoLfsPointer(beginning, path);
}

}  // namespace

absl::StatusOr<LastFrames> ReadLastFrames(const std::string& path, FrameSize size,
                                          int64_t frames_max) {
  LT_RETURN_IF_ERROR(ValidateFrameSize(size));
  LT_CHECK(frames_max > 0);
  av_log_set_level(AV_LOG_FATAL);  // what libav would print, the status says
  Reader reader(size, frames_max);
  absl::Status status = reader.Read(path);
  LastFrames frames = reader.Take();
  if (status.ok() && frames.rgb.empty()) {
    status = absl::InvalidArgumentError(frames.damage.empty() ? "no frame"
                                                              : "no whole frame: " + frames.damage);
  }
  if (status.ok()) return frames;
  const absl::Status pointer = CheckIsNoLfsPointerFile(path);
  if (absl::IsInvalidArgument(pointer)) return pointer;
  if (absl::IsResourceExhausted(status) || absl::IsUnimplemented(status)) {
    return Annotate(status, path);
  }
  return absl::InvalidArgumentError(path + ": " + std::string(status.message()));
}

}  // namespace longtake
