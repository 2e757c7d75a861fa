// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/video_sink.h"

#include <optional>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/output_file.h"
#include "media/contact_sheet.h"
#include "media/png_writer.h"
#include "media/y4m_writer.h"

namespace longtake {
namespace {

std::span<const uint8_t> Pixels(const std::string& media) {
  return {reinterpret_cast<const uint8_t*>(media.data()), media.size()};
}

class Mp4Sink final : public VideoSink {
 public:
  explicit Mp4Sink(OutputFile file) : file_(std::move(file)) {}
  WireFormat wire_format() const override { return WireFormat::kFmp4; }
  absl::Status Begin(const VideoShape&, const std::string& init_segment) override {
    return file_.Write(init_segment);
  }
  absl::Status Write(const std::string& media) override { return file_.Write(media); }
  absl::Status Finish() override { return absl::OkStatus(); }

 private:
  OutputFile file_;
};

class Y4mSink final : public VideoSink {
 public:
  explicit Y4mSink(OutputFile file) : file_(std::move(file)) {}
  WireFormat wire_format() const override { return WireFormat::kRgb24; }
  absl::Status Begin(const VideoShape& shape, const std::string&) override {
    LT_ASSIGN_OR_RETURN(writer_, Y4mWriter::Create({.size = {shape.width, shape.height},
                                                    .fps = shape.fps,
                                                    .chroma = Y4mChroma::k444}));
    return file_.Write(writer_->Header());
  }
  absl::Status Write(const std::string& media) override {
    LT_ASSIGN_OR_RETURN(const std::string bytes, writer_->EncodeFrames(Pixels(media)));
    return file_.Write(bytes);
  }
  absl::Status Finish() override { return absl::OkStatus(); }

 private:
  OutputFile file_;
  std::optional<Y4mWriter> writer_;
};

class PngFolderSink final : public VideoSink {
 public:
  explicit PngFolderSink(std::string folder) : folder_(std::move(folder)) {}
  WireFormat wire_format() const override { return WireFormat::kRgb24; }
  absl::Status Begin(const VideoShape& shape, const std::string&) override {
    size_ = {shape.width, shape.height};
    return absl::OkStatus();
  }
  absl::Status Write(const std::string& media) override {
    const std::span<const uint8_t> pixels = Pixels(media);
    for (size_t at = 0; at < pixels.size(); at += size_.frame_bytes()) {
      LT_ASSIGN_OR_RETURN(const std::string png,
                          EncodePng(size_, pixels.subspan(at, size_.frame_bytes())));
      LT_ASSIGN_OR_RETURN(OutputFile file,
                          OutputFile::Create(absl::StrFormat("%s%06d.png", folder_, frame_++)));
      LT_RETURN_IF_ERROR(file.Write(png));
    }
    return absl::OkStatus();
  }
  absl::Status Finish() override { return absl::OkStatus(); }

 private:
  const std::string folder_;
  FrameSize size_;
  int64_t frame_ = 0;
};

// Keeps only the frames it will show.
class ContactSheetSink final : public VideoSink {
 public:
  explicit ContactSheetSink(OutputFile file) : file_(std::move(file)) {}
  WireFormat wire_format() const override { return WireFormat::kRgb24; }
  absl::Status Begin(const VideoShape& shape, const std::string&) override {
    if (shape.frame_count == 0) {
      return absl::InvalidArgumentError("a contact sheet needs a --duration");
    }
    size_ = {shape.width, shape.height};
    const auto frames = EvenlySpacedFrames(shape.frame_count, kTiles);
    wanted_ = {frames.begin(), frames.end()};
    return absl::OkStatus();
  }
  absl::Status Write(const std::string& media) override {
    for (size_t at = 0; at < media.size(); at += size_.frame_bytes(), ++frame_) {
      if (!wanted_.contains(frame_)) continue;
      const auto pixels = Pixels(media).subspan(at, size_.frame_bytes());
      kept_.insert(kept_.end(), pixels.begin(), pixels.end());
    }
    return absl::OkStatus();
  }
  absl::Status Finish() override {
    LT_ASSIGN_OR_RETURN(const RgbImage sheet, TileFrames(size_, kColumns, kept_));
    LT_ASSIGN_OR_RETURN(const std::string png, EncodePng(sheet));
    return file_.Write(png);
  }

 private:
  static constexpr int kTiles = 24;
  static constexpr int kColumns = 6;

  OutputFile file_;
  FrameSize size_;
  std::set<int64_t> wanted_;
  std::vector<uint8_t> kept_;
  int64_t frame_ = 0;
};

template <typename Sink>
absl::StatusOr<std::unique_ptr<VideoSink>> OpenFileSink(const std::string& path) {
  LT_ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  return std::make_unique<Sink>(std::move(file));
}

}  // namespace

absl::StatusOr<std::unique_ptr<VideoSink>> OpenVideoSink(const std::string& output) {
  if (output == "-" || output.ends_with(".mp4")) return OpenFileSink<Mp4Sink>(output);
  if (output.ends_with(".y4m")) return OpenFileSink<Y4mSink>(output);
  if (output.ends_with(".png")) return OpenFileSink<ContactSheetSink>(output);
  if (output.ends_with("/")) return std::make_unique<PngFolderSink>(output);
  return absl::InvalidArgumentError(absl::StrCat(
      "cannot tell the format of '", output,
      "': use NAME.mp4, NAME.y4m, NAME.png (contact sheet), FOLDER/ (PNG frames) or - (MP4)"));
}

}  // namespace longtake
