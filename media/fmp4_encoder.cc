// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/fmp4_encoder.h"

#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "media/av_ptr.h"
#include "media/av_status.h"
#include "media/frames.h"
#include "media/h264_gop.h"

namespace longtake {
namespace {

constexpr char kWhat[] = "MP4 muxer";
constexpr int64_t kFirstFrameMax = int64_t{1} << 40;

absl::Status CheckRange(const char* name, int64_t value, int64_t min, int64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("fmp4: ", name, " ", value, " is outside ", min, " to ", max));
}

// A muxer that writes into memory, made anew for each segment.
class MemoryMuxer {
 public:
  static absl::StatusOr<MemoryMuxer> Create(const AVCodecParameters& codec) {
    MemoryMuxer muxer;
    LT_RETURN_IF_ERROR(
        AvStatus(avformat_alloc_output_context2(&muxer.format_, nullptr, "mp4", nullptr), kWhat));
    AVStream* stream = avformat_new_stream(muxer.format_, nullptr);
    if (stream == nullptr) return AvOutOfMemory(kWhat);
    LT_RETURN_IF_ERROR(AvStatus(avcodec_parameters_copy(stream->codecpar, &codec), kWhat));
    // Without it the file would name the libav version, and differ between machines.
    muxer.format_->flags |= AVFMT_FLAG_BITEXACT;
    // Else the first packet's time becomes zero.
    muxer.format_->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    return muxer;
  }

  MemoryMuxer(MemoryMuxer&& other) noexcept : format_(std::exchange(other.format_, nullptr)) {}
  MemoryMuxer& operator=(MemoryMuxer&&) = delete;
  ~MemoryMuxer() {
    if (format_ == nullptr) return;
    if (format_->pb != nullptr) TakeBytes();
    avformat_free_context(format_);
  }

  AVStream& stream() { return *format_->streams[0]; }

  // ftyp and moov. sequence is the number of the fragment to come.
  absl::StatusOr<std::string> WriteHeader(int fps, int64_t sequence) {
    stream().time_base = {1, fps * Fmp4Encoder::kTicksPerFrame};
    stream().avg_frame_rate = {fps, 1};
    AvOptions options;
    // frag_discont makes the muxer take the first time stamp for the fragment's place in the take
    // instead of shifting it to zero.
    options.Set("movflags", "empty_moov+default_base_moof+frag_custom+frag_discont");
    options.SetInt("use_editlist", 0);  // no frame precedes its decode time, so nothing to edit
    options.SetInt("video_track_timescale", fps * Fmp4Encoder::kTicksPerFrame);
    options.SetInt("fragment_index", sequence);
    LT_RETURN_IF_ERROR(AvStatus(avio_open_dyn_buf(&format_->pb), kWhat));
    LT_RETURN_IF_ERROR(AvStatus(avformat_write_header(format_, options.get()), kWhat));
    return TakeBytes();
  }

  // moof and mdat. The packets' time stamps are in the stream's time base.
  absl::StatusOr<std::string> WriteFragment(std::vector<AvPacketPtr> packets) {
    LT_RETURN_IF_ERROR(AvStatus(avio_open_dyn_buf(&format_->pb), kWhat));
    for (AvPacketPtr& packet : packets) {
      LT_RETURN_IF_ERROR(AvStatus(av_write_frame(format_, packet.get()), kWhat));
    }
    LT_RETURN_IF_ERROR(AvStatus(av_write_frame(format_, nullptr), kWhat));
    return TakeBytes();
  }

 private:
  MemoryMuxer() = default;

  std::string TakeBytes() {
    uint8_t* bytes = nullptr;
    const int count = avio_close_dyn_buf(std::exchange(format_->pb, nullptr), &bytes);
    std::string out(reinterpret_cast<const char*>(bytes), count);
    av_free(bytes);
    return out;
  }

  AVFormatContext* format_ = nullptr;
};

}  // namespace

struct Fmp4Encoder::Stream {
  struct Free {
    void operator()(AVCodecParameters* owned) const { avcodec_parameters_free(&owned); }
  };
  std::unique_ptr<AVCodecParameters, Free> codec;
};

Fmp4Encoder::Fmp4Encoder(const Options& options, std::unique_ptr<const Stream> stream)
    : options_(options), stream_(std::move(stream)) {}

Fmp4Encoder::~Fmp4Encoder() = default;

absl::StatusOr<std::unique_ptr<Fmp4Encoder>> Fmp4Encoder::Create(const Options& options) {
  LT_RETURN_IF_ERROR(CheckRange("width", options.width, 16, 4096));
  LT_RETURN_IF_ERROR(CheckRange("height", options.height, 16, 4096));
  LT_RETURN_IF_ERROR(CheckRange("fps", options.fps, 1, 240));
  LT_RETURN_IF_ERROR(CheckRange("crf", options.crf, 1, 51));
  const FrameSize size{options.width, options.height};
  LT_RETURN_IF_ERROR(ValidateEvenSize(size));
  LT_ASSIGN_OR_RETURN(AvCodecPtr codec,
                      OpenH264({.size = size, .fps = options.fps, .crf = options.crf}));
  auto stream = std::make_unique<Stream>();
  stream->codec.reset(avcodec_parameters_alloc());
  if (!stream->codec) return AvOutOfMemory(kWhat);
  LT_RETURN_IF_ERROR(
      AvStatus(avcodec_parameters_from_context(stream->codec.get(), codec.get()), kWhat));
  return std::unique_ptr<Fmp4Encoder>(new Fmp4Encoder(options, std::move(stream)));
}

absl::StatusOr<std::string> Fmp4Encoder::InitSegment() const {
  LT_ASSIGN_OR_RETURN(MemoryMuxer muxer, MemoryMuxer::Create(*stream_->codec));
  return muxer.WriteHeader(options_.fps, 1);
}

absl::StatusOr<std::string> Fmp4Encoder::EncodeChunk(ChunkTiming timing,
                                                     std::span<const uint8_t> rgb) const {
  LT_RETURN_IF_ERROR(
      CheckRange("chunk_index", timing.chunk_index, 0, std::numeric_limits<int32_t>::max() - 1));
  LT_RETURN_IF_ERROR(CheckRange("first_frame", timing.first_frame, 0, kFirstFrameMax));
  const FrameSize size{options_.width, options_.height};
  LT_ASSIGN_OR_RETURN(int64_t frame_count, CountFrames(size, rgb));
  LT_RETURN_IF_ERROR(CheckRange("frames in chunk", frame_count, 1, kGopFramesMax));

  LT_ASSIGN_OR_RETURN(std::vector<AvPacketPtr> packets,
                      EncodeGop({.size = size, .fps = options_.fps, .crf = options_.crf}, rgb));
  LT_ASSIGN_OR_RETURN(MemoryMuxer muxer, MemoryMuxer::Create(*stream_->codec));
  LT_RETURN_IF_ERROR(muxer.WriteHeader(options_.fps, timing.chunk_index + 1));
  for (AvPacketPtr& packet : packets) {
    packet->pts += timing.first_frame;
    packet->dts += timing.first_frame;
    av_packet_rescale_ts(packet.get(), {1, options_.fps}, muxer.stream().time_base);
  }
  return muxer.WriteFragment(std::move(packets));
}

}  // namespace longtake
