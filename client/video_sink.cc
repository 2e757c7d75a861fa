// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/video_sink.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>
#include <utility>
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
    init_segment_ = init_segment;
    return absl::OkStatus();
  }
  absl::Status Write(const std::string& media) override {
    return file_.Write(std::exchange(init_segment_, {}) + media);
  }
  absl::Status Finish() override { return file_.Close(); }

 private:
  OutputFile file_;
  std::string init_segment_;  // until the first fragment
};

class ContinuingSink final : public VideoSink {
 public:
  ContinuingSink(std::string path, const Mp4Tail& tail)
      : path_(std::move(path)),
        file_(OutputFile::Continue(path_, tail.whole_bytes)),
        init_segment_(tail.init_segment) {}
  absl::Status Check() const { return file_.Check(); }
  WireFormat wire_format() const override { return WireFormat::kFmp4; }
  absl::Status Begin(const VideoShape&, const std::string& init_segment) override {
    if (init_segment == init_segment_) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(path_, ": begins as no video of this session does: size or rate differ"));
  }
  absl::Status Write(const std::string& media) override { return file_.Write(media); }
  absl::Status Finish() override { return file_.Close(); }

 private:
  const std::string path_;
  OutputFile file_;
  const std::string init_segment_;
};

class Y4mSink final : public VideoSink {
 public:
  explicit Y4mSink(OutputFile file) : file_(std::move(file)) {}
  WireFormat wire_format() const override { return WireFormat::kRgb24; }
  absl::Status Begin(const VideoShape& shape, const std::string&) override {
    LT_ASSIGN_OR_RETURN(writer_, Y4mWriter::Create({.size = {shape.width, shape.height},
                                                    .fps = shape.fps,
                                                    .chroma = Y4mChroma::k444}));
    header_ = writer_->Header();
    return absl::OkStatus();
  }
  absl::Status Write(const std::string& media) override {
    LT_ASSIGN_OR_RETURN(const std::string bytes, writer_->EncodeFrames(Pixels(media)));
    return file_.Write(std::exchange(header_, {}) + bytes);
  }
  absl::Status Finish() override { return file_.Close(); }

 private:
  OutputFile file_;
  std::string header_;  // until the first frames
  std::optional<Y4mWriter> writer_;
};

class PngFolderSink final : public VideoSink {
 public:
  explicit PngFolderSink(std::string folder) : folder_(std::move(folder)) {}
  WireFormat wire_format() const override { return WireFormat::kRgb24; }
  absl::Status Begin(const VideoShape& shape, const std::string&) override {
    size_ = {shape.width, shape.height};
    return ValidateFrameSize(size_);
  }
  absl::Status Write(const std::string& media) override {
    const std::span<const uint8_t> pixels = Pixels(media);
    LT_RETURN_IF_ERROR(CountFrames(size_, pixels).status());
    for (size_t at = 0; at < pixels.size(); at += size_.frame_bytes()) {
      LT_ASSIGN_OR_RETURN(const std::string png,
                          EncodePng(size_, pixels.subspan(at, size_.frame_bytes())));
      OutputFile file(absl::StrFormat("%s%06d.png", folder_, frame_++),
                      OutputFile::Existing::kRefuse);
      LT_RETURN_IF_ERROR(file.Write(png));
      LT_RETURN_IF_ERROR(file.Close());
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
    size_ = {shape.width, shape.height};
    LT_RETURN_IF_ERROR(ValidateFrameSize(size_));
    if (shape.frame_count == 0) {
      return absl::InvalidArgumentError("a contact sheet needs a --duration");
    }
    const auto frames = EvenlySpacedFrames(shape.frame_count, kTiles);
    wanted_ = {frames.begin(), frames.end()};
    return absl::OkStatus();
  }
  absl::Status Write(const std::string& media) override {
    LT_RETURN_IF_ERROR(CountFrames(size_, Pixels(media)).status());
    for (size_t at = 0; at < media.size(); at += size_.frame_bytes(), ++frame_) {
      if (!wanted_.contains(frame_)) continue;
      const auto pixels = Pixels(media).subspan(at, size_.frame_bytes());
      kept_.insert(kept_.end(), pixels.begin(), pixels.end());
    }
    return absl::OkStatus();
  }
  absl::Status Finish() override {
    if (kept_.empty()) return absl::OkStatus();
    LT_ASSIGN_OR_RETURN(const RgbImage sheet, TileFrames(size_, kColumns, kept_));
    LT_ASSIGN_OR_RETURN(const std::string png, EncodePng(sheet));
    LT_RETURN_IF_ERROR(file_.Write(png));
    return file_.Close();
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
absl::StatusOr<std::unique_ptr<VideoSink>> MakeFileSink(const std::string& path) {
  OutputFile file(path);
  LT_RETURN_IF_ERROR(file.Check());
  return std::make_unique<Sink>(std::move(file));
}

// As PngFolderSink names them.
bool IsFrameName(const std::string& name) {
  const size_t digits = name.find_first_not_of("0123456789");
  return digits != std::string::npos && digits >= 6 && name.substr(digits) == ".png";
}

// Whoever makes a video of the folder would get the frames of both takes.
absl::Status CheckHoldsNoFrames(const std::string& folder) {
  std::error_code error;
  std::string first;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (IsFrameName(name)) first = first.empty() ? name : std::min(first, name);
  }
  if (first.empty()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(
      folder, " holds ", first, " of an earlier take; empty it or name another folder"));
}

absl::StatusOr<std::unique_ptr<VideoSink>> MakeFolderSink(const std::string& folder) {
  // A name that no frame has; it stands for all of them.
  LT_RETURN_IF_ERROR(OutputFile(folder + "frames.png").Check());
  LT_RETURN_IF_ERROR(CheckHoldsNoFrames(folder));
  return std::make_unique<PngFolderSink>(folder);
}

}  // namespace

absl::StatusOr<std::unique_ptr<VideoSink>> MakeVideoSink(const std::string& output) {
  if (output.ends_with("/")) return MakeFolderSink(output);
  if (output == "-" || output.ends_with(".mp4")) return MakeFileSink<Mp4Sink>(output);
  if (output.ends_with(".y4m")) return MakeFileSink<Y4mSink>(output);
  if (output.ends_with(".png")) return MakeFileSink<ContactSheetSink>(output);
  return absl::InvalidArgumentError(absl::StrCat(
      "cannot tell the format of '", output,
      "': use NAME.mp4, NAME.y4m, NAME.png (contact sheet), FOLDER/ (PNG frames) or - (MP4)"));
}

absl::StatusOr<std::unique_ptr<VideoSink>> MakeContinuingSink(const std::string& path,
                                                              const Mp4Tail& tail) {
  auto sink = std::make_unique<ContinuingSink>(path, tail);
  LT_RETURN_IF_ERROR(sink->Check());
  return sink;
}

}  // namespace longtake
