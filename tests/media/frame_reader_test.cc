// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/frame_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "media/av_frame.h"
#include "media/fmp4_encoder.h"
#include "media/png_writer.h"
#include "tests/media/test_frames.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr FrameSize kSize{160, 96};

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Of grey pictures: only their first channel is used.
std::string EncodeJpeg(FrameSize size, const std::vector<uint8_t>& rgb) {
  const AvFramePtr frame = *NewAvFrame(size, AV_PIX_FMT_YUVJ420P);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      frame->data[0][y * frame->linesize[0] + x] =
          rgb[static_cast<size_t>(3 * (y * size.width + x))];
    }
  }
  for (int plane : {1, 2}) {
    std::fill_n(frame->data[plane], frame->linesize[plane] * size.height / 2, uint8_t{128});
  }
  AvCodecPtr encoder(avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_MJPEG)));
  encoder->width = size.width;
  encoder->height = size.height;
  encoder->pix_fmt = AV_PIX_FMT_YUVJ420P;
  encoder->time_base = {1, 25};
  const AvPacketPtr packet(av_packet_alloc());
  LT_CHECK(avcodec_open2(encoder.get(), nullptr, nullptr) == 0);
  LT_CHECK(avcodec_send_frame(encoder.get(), frame.get()) == 0);
  LT_CHECK(avcodec_receive_packet(encoder.get(), packet.get()) == 0);
  return {reinterpret_cast<const char*>(packet->data), static_cast<size_t>(packet->size)};
}

class FrameReaderTest : public testing::Test {
 protected:
  FrameReaderTest() {
    std::string name = (std::filesystem::temp_directory_path() / "longtake-media-XXXXXX").string();
    LT_CHECK(mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~FrameReaderTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  std::string WriteVideo(int frames) {
    const auto encoder = *Fmp4Encoder::Create({.width = 160, .height = 96, .fps = 16});
    std::string bytes = *encoder->InitSegment();
    bytes += *encoder->EncodeChunk({}, MovingShapes(kSize, 0, frames));
    return Write("clip.mp4", bytes);
  }

  std::filesystem::path folder_;
};

TEST_F(FrameReaderTest, TheLastFramesOfAVideo) {
  const std::string path = WriteVideo(20);
  const auto frames = ReadLastFrames(path, kSize, 5);
  ASSERT_TRUE(frames.ok()) << frames.status();
  ASSERT_EQ(frames->rgb.size(), 5 * kSize.frame_bytes());
  EXPECT_GT(PsnrDb(MovingShapes(kSize, 15, 5), frames->rgb), 28.0);
  EXPECT_EQ(ReadLastFrames(path, kSize, 100)->rgb.size(), 20 * kSize.frame_bytes());
}

// Twice the width wanted: both sides are cut off alike.
TEST_F(FrameReaderTest, OtherShapesAreCutInTheMiddle) {
  constexpr FrameSize kWide{64, 32};
  std::vector<uint8_t> rgb(kWide.frame_bytes());
  for (int y = 0; y < kWide.height; ++y) {
    for (int x = 0; x < kWide.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        rgb[static_cast<size_t>((y * kWide.width + x) * 3 + c)] = x < 16 || x >= 48 ? 255 : 40;
      }
    }
  }
  const auto png = EncodePng(kWide, rgb);
  ASSERT_TRUE(png.ok()) << png.status();
  const auto frames = ReadLastFrames(Write("wide.png", *png), {32, 32}, 9);
  ASSERT_TRUE(frames.ok()) << frames.status();
  ASSERT_EQ(frames->rgb.size(), size_t{32 * 32 * 3});
  for (uint8_t value : frames->rgb) ASSERT_EQ(value, 40);
  const auto small = ReadLastFrames(Write("wide.png", *png), {16, 16}, 9);
  EXPECT_EQ(small->rgb.size(), size_t{16 * 16 * 3});
}

// What a full disk or a killed client leaves is gone on with: whole frames, and a word that there
// were more.
TEST_F(FrameReaderTest, ACutVideoGivesItsWholeFrames) {
  const std::string bytes = ReadAll(WriteVideo(40));
  const LastFrames whole = *ReadLastFrames(folder_ / "clip.mp4", kSize, 100);
  EXPECT_EQ(whole.frames_read, 40);
  EXPECT_EQ(whole.damage, "");
  int64_t before = 0;
  for (size_t part = 3; part < 10; ++part) {
    const auto cut =
        ReadLastFrames(Write("cut.mp4", bytes.substr(0, bytes.size() * part / 10)), kSize, 100);
    ASSERT_TRUE(cut.ok()) << cut.status();
    EXPECT_GT(cut->frames_read, 0);
    EXPECT_GE(cut->frames_read, before);
    EXPECT_LT(cut->frames_read, 40);
    EXPECT_NE(cut->damage, "") << part;
    before = cut->frames_read;
    const auto frames = static_cast<ptrdiff_t>(cut->rgb.size());
    EXPECT_TRUE(
        std::equal(cut->rgb.begin(), cut->rgb.end(), whole.rgb.begin(), whole.rgb.begin() + frames))
        << part << " tenths: nothing made up";
  }
  EXPECT_GT(before, 25);
}

// Frames that follow a lost one are made of it until the next key frame, and are left out.
TEST_F(FrameReaderTest, AHoleInAVideoEndsAtTheNextKeyFrame) {
  const auto encoder = *Fmp4Encoder::Create({.width = 160, .height = 96, .fps = 16});
  std::string bytes = *encoder->InitSegment();
  for (int64_t chunk = 0; chunk < 3; ++chunk) {
    bytes += *encoder->EncodeChunk({.chunk_index = chunk, .first_frame = 12 * chunk},
                                   MovingShapes(kSize, 12 * chunk, 12));
  }
  const LastFrames whole = *ReadLastFrames(Write("whole.mp4", bytes), kSize, 100);
  ASSERT_EQ(whole.frames_read, 36);
  // The first bytes of the second chunk's data.
  size_t at = bytes.find("mdat");
  at = bytes.find("mdat", at + 4);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at + 4, 200, std::string(200, '\xff'));
  const auto holed = ReadLastFrames(Write("holed.mp4", bytes), kSize, 100);
  ASSERT_TRUE(holed.ok()) << holed.status();
  EXPECT_EQ(holed->frames_read, 24);
  EXPECT_NE(holed->damage, "");
  const auto chunk = static_cast<ptrdiff_t>(12 * kSize.frame_bytes());
  EXPECT_TRUE(std::equal(holed->rgb.begin(), holed->rgb.begin() + chunk, whole.rgb.begin()));
  EXPECT_TRUE(
      std::equal(holed->rgb.begin() + chunk, holed->rgb.end(), whole.rgb.begin() + 2 * chunk));
}

TEST_F(FrameReaderTest, ACutPictureIsNoWholeFrame) {
  const FrameSize size{64, 64};
  const std::vector<uint8_t> noise = GreyNoise(size, 1, 1);
  for (const auto& [name, bytes] :
       {std::pair("cut.png", *EncodePng(size, noise)), {"cut.jpg", EncodeJpeg(size, noise)}}) {
    ASSERT_TRUE(ReadLastFrames(Write(name, bytes), size, 1).ok());
    const auto cut = ReadLastFrames(Write(name, bytes.substr(0, bytes.size() / 2)), size, 1);
    EXPECT_EQ(cut.status().code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(cut.status().message()), HasSubstr("no whole frame"));
  }
}

TEST_F(FrameReaderTest, ACutRawVideoToo) {
  const std::string frame = "FRAME\n" + std::string(32 * 32 * 3 / 2, '\x80');
  const std::string video = "YUV4MPEG2 W32 H32 F16:1 C420jpeg\n" + frame + frame + frame;
  const auto cut = ReadLastFrames(Write("cut.y4m", video.substr(0, video.size() - 9)), {32, 32}, 9);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->frames_read, 2);
  EXPECT_NE(cut->damage, "");
  EXPECT_EQ(ReadLastFrames(Write("whole.y4m", video), {32, 32}, 9)->damage, "");
}

// The packets of a file in another container.
void Remux(const std::string& from, const std::string& to) {
  AVFormatContext *in = nullptr, *out = nullptr;
  LT_CHECK(avformat_open_input(&in, from.c_str(), nullptr, nullptr) == 0);
  LT_CHECK(avformat_find_stream_info(in, nullptr) >= 0);
  LT_CHECK(avformat_alloc_output_context2(&out, nullptr, nullptr, to.c_str()) >= 0);
  AVStream* stream = avformat_new_stream(out, nullptr);
  LT_CHECK(avcodec_parameters_copy(stream->codecpar, in->streams[0]->codecpar) >= 0);
  stream->codecpar->codec_tag = 0;
  LT_CHECK(avio_open(&out->pb, to.c_str(), AVIO_FLAG_WRITE) >= 0);
  LT_CHECK(avformat_write_header(out, nullptr) >= 0);
  const AvPacketPtr packet(av_packet_alloc());
  while (av_read_frame(in, packet.get()) == 0) {
    av_packet_rescale_ts(packet.get(), in->streams[0]->time_base, stream->time_base);
    LT_CHECK(av_interleaved_write_frame(out, packet.get()) == 0);
  }
  LT_CHECK(av_write_trailer(out) == 0);
  avio_closep(&out->pb);
  avformat_free_context(out);
  avformat_close_input(&in);
}

// Where libav passes over the cut end in silence, the header still tells the length.
TEST_F(FrameReaderTest, ACutMatroskaFile) {
  const std::string path = folder_ / "clip.mkv";
  Remux(WriteVideo(40), path);
  const LastFrames whole = *ReadLastFrames(path, kSize, 100);
  EXPECT_EQ(whole.frames_read, 40);
  EXPECT_EQ(whole.damage, "");
  const std::string bytes = ReadAll(path);
  const auto cut = ReadLastFrames(Write("cut.mkv", bytes.substr(0, bytes.size() / 2)), kSize, 100);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_GT(cut->frames_read, 0);
  EXPECT_LT(cut->frames_read, 40);
  EXPECT_THAT(cut->damage, HasSubstr("before the time that its header tells"));
}

constexpr uint8_t kDark = 40, kBright = 220;

// Dark on the left, bright on the right.
std::vector<uint8_t> Halves(FrameSize size) {
  std::vector<uint8_t> rgb;
  for (int i = 0; i < size.width * size.height; ++i) {
    rgb.insert(rgb.end(), 3, i % size.width < size.width / 2 ? kDark : kBright);
  }
  return rgb;
}

// A side of a shown frame, 'l', 'r', 't' or 'b': where the bright half is.
char BrightSide(const std::vector<uint8_t>& rgb, FrameSize size) {
  const auto bright = [&](int x, int y) {
    return rgb[static_cast<size_t>(3 * (y * size.width + x))] > 130;
  };
  const bool left = bright(4, 4), right = bright(size.width - 5, 4);
  if (left && right) return 't';
  if (!left && !right) return 'b';
  return left ? 'l' : 'r';
}

constexpr char kBrightSides[] = "rllrbbtt";  // of EXIF's 1 to 8

std::string Exif(int orientation) {
  std::string tiff("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0", 26);
  tiff[18] = static_cast<char>(orientation);
  return tiff;
}

std::string Length(size_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

TEST_F(FrameReaderTest, PicturesAreTurnedAsExifSays) {
  const FrameSize size{64, 64};
  const std::string png = *EncodePng(size, Halves(size));
  const std::string jpeg = EncodeJpeg(size, Halves(size));
  constexpr size_t kPngHeaderEnd = 33;  // signature and IHDR
  for (int exif = 1; exif <= 8; ++exif) {
    const std::string tiff = Exif(exif);
    std::string turned = png;
    turned.insert(kPngHeaderEnd, Length(tiff.size(), 4) + "eXIf" + tiff + "crc!");
    EXPECT_EQ(BrightSide(ReadLastFrames(Write("o.png", turned), size, 1)->rgb, size),
              kBrightSides[exif - 1])
        << "png " << exif;
    const std::string app = std::string("Exif\0\0", 6) + tiff;
    turned = jpeg;
    turned.insert(2, "\xff\xe1" + Length(app.size() + 2, 2) + app);
    EXPECT_EQ(BrightSide(ReadLastFrames(Write("o.jpg", turned), size, 1)->rgb, size),
              kBrightSides[exif - 1])
        << "jpeg " << exif;
  }
}

// The matrix of a track is where phones write how they were held.
TEST_F(FrameReaderTest, VideosAreTurnedAsTheirTrackSays) {
  const FrameSize size{64, 64};
  const auto encoder = *Fmp4Encoder::Create({.width = 64, .height = 64, .fps = 16});
  std::vector<uint8_t> frames = Halves(size);
  for (int i = 0; i < 2; ++i)
    frames.insert(frames.end(), frames.begin(), frames.begin() + 64 * 64 * 3);
  const std::string bytes = *encoder->InitSegment() + *encoder->EncodeChunk({}, frames);
  const size_t track = bytes.find("tkhd");
  ASSERT_NE(track, std::string::npos);
  const size_t matrix = track + 4 + (bytes[track + 4] == 0 ? 40 : 52);  // by version
  constexpr int kTurns[8][4] = {{1, 0, 0, 1}, {-1, 0, 0, 1}, {-1, 0, 0, -1}, {1, 0, 0, -1},
                                {0, 1, 1, 0}, {0, 1, -1, 0}, {0, -1, -1, 0}, {0, -1, 1, 0}};
  for (int exif = 1; exif <= 8; ++exif) {
    const int* turn = kTurns[exif - 1];
    std::string turned = bytes;
    for (const auto& [place, value] :
         {std::pair(0, turn[0]), {4, turn[1]}, {12, turn[2]}, {16, turn[3]}}) {
      turned.replace(matrix + static_cast<size_t>(place), 4,
                     Length(static_cast<uint32_t>(value * 65536), 4));
    }
    const auto shown = ReadLastFrames(Write("o.mp4", turned), size, 1);
    ASSERT_TRUE(shown.ok()) << shown.status();
    EXPECT_EQ(BrightSide(shown->rgb, size), kBrightSides[exif - 1]) << exif;
  }
  std::string slanted = bytes;
  slanted.replace(matrix + 4, 4, Length(65536, 4));
  const absl::Status status = ReadLastFrames(Write("o.mp4", slanted), size, 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("o.mp4: is to be shown turned"));
}

TEST_F(FrameReaderTest, PixelShapeAndInterlacingOfTheFile) {
  std::string plane;
  for (int i = 0; i < 32 * 32; ++i)
    plane += static_cast<char>(i % 32 < 8 || i % 32 >= 24 ? 255 : 0);
  const std::string frame = "FRAME\n" + plane + std::string(32 * 32 / 2, '\x80');
  const auto read = [&](const std::string& header) {
    return ReadLastFrames(
        Write("a.y4m", "YUV4MPEG2 W32 H32 F16:1 C420jpeg " + header + "\n" + frame), {32, 32}, 1);
  };
  // Twice as wide as high: only the dark middle half is left of it.
  const auto wide = read("A2:1");
  ASSERT_TRUE(wide.ok()) << wide.status();
  EXPECT_LT(wide->rgb[3 * (16 * 32 + 3)], 20);
  EXPECT_GT(read("A1:1")->rgb[3 * (16 * 32 + 3)], 230);
  const absl::Status interlaced = read("It").status();
  EXPECT_EQ(interlaced.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(interlaced.message()), HasSubstr("a.y4m: is interlaced"));
}

TEST_F(FrameReaderTest, AGitLfsPointerIsNamed) {
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
  for (const char* name : {"a.png", "a.mp4", "a.txt"}) {
    const absl::Status status = ReadLastFrames(Write(name, pointer), kSize, 5).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("git-lfs pointer"));
  }
}

TEST_F(FrameReaderTest, WhatIsNoVideoNamesTheFile) {
  const auto message = [](const std::string& path) {
    const absl::Status status = ReadLastFrames(path, kSize, 5).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message("/nonexistent.mp4"), HasSubstr("/nonexistent.mp4: cannot be opened"));
  EXPECT_THAT(message(Write("text.txt", "no picture at all\n")), HasSubstr("text.txt"));
  EXPECT_THAT(message(Write("empty.mp4", "")), HasSubstr("empty.mp4"));
  const std::string video = ReadAll(WriteVideo(5));
  EXPECT_THAT(message(Write("head.mp4", video.substr(0, 100))),
              HasSubstr("head.mp4: no video in it, or cut"));
  EXPECT_THAT(message(Write("none.mp4", video.substr(0, video.find("mdat")))),
              HasSubstr("no frame"));
}

}  // namespace
}  // namespace longtake
