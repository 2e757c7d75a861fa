// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/fmp4_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <memory>
#include <string>
#include <vector>

#include "base/worker_pool.h"
#include "tests/media/decode_video.h"
#include "tests/media/test_frames.h"

extern "C" {
#include <libavutil/cpu.h>
}

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr FrameSize kSize{160, 96};
constexpr int kFps = 16;

std::unique_ptr<Fmp4Encoder> NewEncoder(int crf = 20) {
  auto encoder =
      Fmp4Encoder::Create({.width = kSize.width, .height = kSize.height, .fps = kFps, .crf = crf});
  EXPECT_TRUE(encoder.ok()) << encoder.status();
  return *std::move(encoder);
}

std::string Init(const Fmp4Encoder& encoder) {
  auto init = encoder.InitSegment();
  EXPECT_TRUE(init.ok()) << init.status();
  return init.value_or("");
}

std::string Chunk(const Fmp4Encoder& encoder, ChunkTiming timing, std::span<const uint8_t> rgb) {
  auto fragment = encoder.EncodeChunk(timing, rgb);
  EXPECT_TRUE(fragment.ok()) << fragment.status();
  return fragment.value_or("");
}

DecodedVideo Decode(const std::string& file) {
  auto video = DecodeVideo(file);
  EXPECT_TRUE(video.ok()) << video.status();
  return video.value_or(DecodedVideo{});
}

// A take in chunks of the given lengths: the frames and the fragments of each.
struct Take {
  std::vector<ChunkTiming> timings;
  std::vector<std::vector<uint8_t>> rgb;
  std::vector<std::string> fragments;
};

Take EncodeTake(const Fmp4Encoder& encoder, const std::vector<int>& chunk_frames) {
  Take take;
  ChunkTiming timing;
  for (int frames : chunk_frames) {
    take.timings.push_back(timing);
    take.rgb.push_back(MovingShapes(kSize, timing.first_frame, frames));
    take.fragments.push_back(Chunk(encoder, timing, take.rgb.back()));
    timing.chunk_index += 1;
    timing.first_frame += frames;
  }
  return take;
}

// Every frame of chunks from.. is there, at its time, looking like its original.
void ExpectPlays(const Take& take, size_t from, const DecodedVideo& video) {
  size_t frame = 0;
  for (size_t chunk = from; chunk < take.rgb.size(); ++chunk) {
    const std::span<const uint8_t> rgb = take.rgb[chunk];
    const size_t count = rgb.size() / kSize.frame_bytes();
    for (size_t i = 0; i < count; ++i, ++frame) {
      SCOPED_TRACE(testing::Message() << "chunk " << chunk << " frame " << i);
      ASSERT_LT(frame, video.frames.size());
      const int64_t take_frame = take.timings[chunk].first_frame + static_cast<int64_t>(i);
      EXPECT_EQ(video.frames[frame].pts * kFps, take_frame * video.timescale);
      EXPECT_EQ(video.frames[frame].is_key, i == 0);
      const auto original = rgb.subspan(i * kSize.frame_bytes(), kSize.frame_bytes());
      EXPECT_GT(PsnrDb(original, video.frames[frame].rgb), 30.0);
    }
  }
  EXPECT_EQ(frame, video.frames.size());
}

TEST(Fmp4EncoderTest, ATakeOfNineThenTwelveFramesComesBack) {
  const auto encoder = NewEncoder();
  const Take take = EncodeTake(*encoder, {9, 12, 12, 12});
  std::string file = Init(*encoder);
  for (const std::string& fragment : take.fragments) file += fragment;
  const DecodedVideo video = Decode(file);
  EXPECT_EQ(video.size.width, kSize.width);
  EXPECT_EQ(video.size.height, kSize.height);
  EXPECT_EQ(video.timescale, kFps * Fmp4Encoder::kTicksPerFrame);
  EXPECT_EQ(video.fps, kFps);
  EXPECT_EQ(video.pixel_format, "yuv420p");
  EXPECT_EQ(video.color_space, "bt709");
  ExpectPlays(take, 0, video);
}

TEST(Fmp4EncoderTest, PlaysFromAnyChunk) {
  const auto encoder = NewEncoder();
  const Take take = EncodeTake(*encoder, {9, 12, 12, 12});
  for (size_t from = 1; from < take.fragments.size(); ++from) {
    std::string file = Init(*encoder);
    for (size_t chunk = from; chunk < take.fragments.size(); ++chunk) {
      file += take.fragments[chunk];
    }
    ExpectPlays(take, from, Decode(file));
  }
}

TEST(Fmp4EncoderTest, AChunkDecodesAloneToTheSamePixels) {
  const auto encoder = NewEncoder();
  const Take take = EncodeTake(*encoder, {9, 12});
  const std::string init = Init(*encoder);
  const DecodedVideo whole = Decode(init + take.fragments[0] + take.fragments[1]);
  const DecodedVideo alone = Decode(init + take.fragments[1]);
  ASSERT_EQ(whole.frames.size(), 21u);
  ASSERT_EQ(alone.frames.size(), 12u);
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(whole.frames[9 + i].rgb, alone.frames[i].rgb) << "frame " << i;
  }
}

TEST(Fmp4EncoderTest, OneFrameChunksPlay) {
  const auto encoder = NewEncoder();
  const Take take = EncodeTake(*encoder, {1, 1, 4, 4});
  std::string file = Init(*encoder);
  for (const std::string& fragment : take.fragments) file += fragment;
  ExpectPlays(take, 0, Decode(file));
}

TEST(Fmp4EncoderTest, NoiseComesBack) {
  const auto encoder = NewEncoder(16);
  const std::vector<uint8_t> rgb = GreyNoise(kSize, 12, 7);
  const DecodedVideo video = Decode(Init(*encoder) + Chunk(*encoder, {}, rgb));
  ASSERT_EQ(video.frames.size(), 12u);
  for (size_t i = 0; i < 12; ++i) {
    const auto original = std::span(rgb).subspan(i * kSize.frame_bytes(), kSize.frame_bytes());
    EXPECT_GT(PsnrDb(original, video.frames[i].rgb), 30.0) << "frame " << i;
  }
}

TEST(Fmp4EncoderTest, FlatColoursKeepTheirValues) {
  const auto encoder = NewEncoder(10);
  for (const auto& color : std::vector<std::vector<uint8_t>>{
           {0, 0, 0}, {255, 255, 255}, {255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {120, 40, 200}}) {
    std::vector<uint8_t> rgb(kSize.frame_bytes());
    for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = color[i % 3];
    const DecodedVideo video = Decode(Init(*encoder) + Chunk(*encoder, {}, rgb));
    ASSERT_EQ(video.frames.size(), 1u);
    for (size_t i = 0; i < rgb.size(); ++i) {
      ASSERT_NEAR(video.frames[0].rgb[i], rgb[i], 4) << "channel " << i % 3;
    }
  }
}

TEST(Fmp4EncoderTest, TimesStayExactAfterDays) {
  const auto encoder = NewEncoder();
  // 100 hours: the time stamp needs more than 32 bits.
  const ChunkTiming timing{.chunk_index = 480000, .first_frame = int64_t{100} * 3600 * kFps};
  const std::vector<uint8_t> rgb = MovingShapes(kSize, 0, 3);
  const DecodedVideo video = Decode(Init(*encoder) + Chunk(*encoder, timing, rgb));
  ASSERT_EQ(video.frames.size(), 3u);
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(video.frames[i].pts, (timing.first_frame + i) * Fmp4Encoder::kTicksPerFrame);
  }
}

TEST(Fmp4EncoderTest, AChunkHasTheSameBytesWheneverItIsEncoded) {
  const auto encoder = NewEncoder();
  const Take take = EncodeTake(*encoder, {9, 12, 12});
  const std::string init = Init(*encoder);
  for (size_t chunk : {2u, 0u, 1u, 2u}) {
    EXPECT_EQ(Chunk(*encoder, take.timings[chunk], take.rgb[chunk]), take.fragments[chunk]);
    EXPECT_EQ(Chunk(*NewEncoder(), take.timings[chunk], take.rgb[chunk]), take.fragments[chunk]);
    EXPECT_EQ(Init(*encoder), init);
  }
  EXPECT_EQ(Init(*NewEncoder()), init);
  EXPECT_NE(take.fragments[1], take.fragments[2]);
}

// x264 has settings whose output depends on memory it never wrote. Ours must not.
TEST(Fmp4EncoderTest, BytesDoNotDependOnWhatTheHeapHeld) {
  const auto encoder = NewEncoder();
  const std::vector<uint8_t> rgb = MovingShapes(kSize, 9, 12);
  const std::string fragment = Chunk(*encoder, {.chunk_index = 1, .first_frame = 9}, rgb);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);  // fresh maps are always zero
  for (int fill : {0x55, 0xAA, 0xFF}) {
    mallopt(M_PERTURB, fill);
    EXPECT_EQ(Chunk(*encoder, {.chunk_index = 1, .first_frame = 9}, rgb), fragment) << fill;
  }
  mallopt(M_PERTURB, 0);
}

TEST(Fmp4EncoderTest, BytesDoNotDependOnTheInstructionSet) {
  const auto encoder = NewEncoder();
  const std::vector<uint8_t> rgb = MovingShapes(kSize, 9, 12);
  const std::string fragment = Chunk(*encoder, {.chunk_index = 1, .first_frame = 9}, rgb);
  constexpr int kSse2 = AV_CPU_FLAG_MMX | AV_CPU_FLAG_SSE2;
  for (int cpu_flags : {0, kSse2, kSse2 | AV_CPU_FLAG_SSSE3}) {
    av_force_cpu_flags(cpu_flags);
    EXPECT_EQ(Chunk(*encoder, {.chunk_index = 1, .first_frame = 9}, rgb), fragment) << cpu_flags;
  }
  constexpr int kDetect = -1;
  av_force_cpu_flags(kDetect);
}

TEST(Fmp4EncoderTest, OneEncoderServesManyThreads) {
  const auto encoder = NewEncoder();
  const Take take = EncodeTake(*encoder, {9, 12, 12, 12});
  WorkerPool pool(4);
  std::vector<std::string> fragments(16);
  pool.ParallelFor(fragments.size(), [&](int64_t i, int) {
    const size_t chunk = i % 4;
    fragments[i] = encoder->EncodeChunk(take.timings[chunk], take.rgb[chunk]).value_or("");
  });
  for (size_t i = 0; i < fragments.size(); ++i) EXPECT_EQ(fragments[i], take.fragments[i % 4]);
}

// Two encoders and muxers a second and session would drown a server's log.
TEST(Fmp4EncoderTest, PrintsNothing) {
  testing::internal::CaptureStderr();
  EncodeTake(*NewEncoder(), {9, 12});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Fmp4EncoderTest, RefusesOptionsOutOfRange) {
  const Fmp4Options good{.width = 160, .height = 96, .fps = 16, .crf = 20};
  const auto message = [](const Fmp4Options& options) {
    const auto encoder = Fmp4Encoder::Create(options);
    EXPECT_EQ(encoder.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(encoder.status().message());
  };
  Fmp4Options bad = good;
  bad.width = 161;
  EXPECT_THAT(message(bad), HasSubstr("161x96: 4:2:0 video needs even"));
  bad = good, bad.height = 95;
  EXPECT_THAT(message(bad), HasSubstr("160x95: 4:2:0 video needs even"));
  bad = good, bad.width = 0;
  EXPECT_THAT(message(bad), HasSubstr("width 0 is outside 16 to 4096"));
  bad = good, bad.height = 1 << 30;
  EXPECT_THAT(message(bad), HasSubstr("height"));
  bad = good, bad.fps = 0;
  EXPECT_THAT(message(bad), HasSubstr("fps 0"));
  bad = good, bad.crf = 0;
  EXPECT_THAT(message(bad), HasSubstr("crf 0"));
}

TEST(Fmp4EncoderTest, RefusesFramesAndTimesThatCannotBe) {
  const auto encoder = NewEncoder();
  const std::vector<uint8_t> rgb = MovingShapes(kSize, 0, 2);
  const auto message = [&](ChunkTiming timing, std::span<const uint8_t> frames) {
    const auto fragment = encoder->EncodeChunk(timing, frames);
    EXPECT_EQ(fragment.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(fragment.status().message());
  };
  EXPECT_THAT(message({}, {}), HasSubstr("frames in chunk 0"));
  EXPECT_THAT(message({}, std::span(rgb).first(rgb.size() - 1)), HasSubstr("not whole frames"));
  EXPECT_THAT(message({.chunk_index = -1}, rgb), HasSubstr("chunk_index -1"));
  EXPECT_THAT(message({.chunk_index = int64_t{1} << 31}, rgb), HasSubstr("chunk_index"));
  EXPECT_THAT(message({.first_frame = -1}, rgb), HasSubstr("first_frame -1"));
  EXPECT_THAT(message({.first_frame = int64_t{1} << 60}, rgb), HasSubstr("first_frame"));
}

}  // namespace
}  // namespace longtake
