// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The bytes of the fragments, read box by box: what players rely on and decoders do not show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "media/fmp4_encoder.h"
#include "tests/media/test_frames.h"

namespace longtake {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr FrameSize kSize{128, 256};  // high enough that x264 would cut pictures for its threads
constexpr int kFps = 24;

struct Box {
  std::string type;
  std::string body;
};

uint64_t BigEndian(const std::string& bytes, size_t offset, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes.at(offset + i));
  }
  return value;
}

std::vector<Box> Boxes(const std::string& bytes) {
  std::vector<Box> boxes;
  for (size_t offset = 0; offset < bytes.size();) {
    const uint64_t size = BigEndian(bytes, offset, 4);
    EXPECT_GE(size, 8u);
    EXPECT_LE(offset + size, bytes.size());
    if (size < 8) break;
    boxes.push_back({bytes.substr(offset + 4, 4), bytes.substr(offset + 8, size - 8)});
    offset += size;
  }
  return boxes;
}

std::vector<std::string> Types(const std::vector<Box>& boxes) {
  std::vector<std::string> types;
  for (const Box& box : boxes) types.push_back(box.type);
  return types;
}

std::string Body(const std::string& parent, const std::string& type) {
  for (const Box& box : Boxes(parent)) {
    if (box.type == type) return box.body;
  }
  ADD_FAILURE() << "no " << type;
  return std::string(64, '\0');
}

std::string Encode(ChunkTiming timing, int frames) {
  const auto encoder =
      Fmp4Encoder::Create({.width = kSize.width, .height = kSize.height, .fps = kFps});
  return (*encoder)
      ->EncodeChunk(timing, MovingShapes(kSize, timing.first_frame, frames))
      .value_or("");
}

TEST(Fmp4LayoutTest, InitIsFtypAndMoovOnly) {
  const auto encoder =
      Fmp4Encoder::Create({.width = kSize.width, .height = kSize.height, .fps = kFps});
  const std::string init = (*encoder)->InitSegment().value();
  EXPECT_THAT(Types(Boxes(init)), ElementsAre("ftyp", "moov"));
  const std::string media = Body(Body(Body(init, "moov"), "trak"), "mdia");
  EXPECT_EQ(BigEndian(Body(media, "mdhd"), 12, 4), kFps * Fmp4Encoder::kTicksPerFrame);
  const std::string sample_table = Body(Body(media, "minf"), "stbl");
  const std::string entry = Body(Body(sample_table, "stsd").substr(8), "avc1");
  EXPECT_THAT(Types(Boxes(entry.substr(78))), testing::Contains("avcC"));
}

TEST(Fmp4LayoutTest, AFragmentSaysWhereItStands) {
  const std::string fragment = Encode({.chunk_index = 5, .first_frame = 57}, 12);
  EXPECT_THAT(Types(Boxes(fragment)), ElementsAre("moof", "mdat"));
  const std::string moof = Body(fragment, "moof");
  EXPECT_EQ(BigEndian(Body(moof, "mfhd"), 4, 4), 6u);
  const std::string traf = Body(moof, "traf");
  const std::string tfdt = Body(traf, "tfdt");
  EXPECT_EQ(tfdt.at(0), 1) << "64-bit decode time";
  EXPECT_EQ(BigEndian(tfdt, 4, 8), uint64_t{57} * Fmp4Encoder::kTicksPerFrame);
  EXPECT_EQ(BigEndian(Body(traf, "trun"), 4, 4), 12u);
}

// A fragment of one frame has no second one to tell how long the first lasts.
TEST(Fmp4LayoutTest, EveryFrameLastsOneFrame) {
  for (int frames : {1, 2, 12}) {
    const std::string traf = Body(Body(Encode({}, frames), "moof"), "traf");
    const std::string tfhd = Body(traf, "tfhd");
    constexpr uint64_t kBaseOffset = 1, kDescription = 2, kDuration = 8, kSampleDuration = 0x100;
    const uint64_t flags = BigEndian(tfhd, 1, 3);
    ASSERT_EQ(flags & (kBaseOffset | kDescription | kDuration), kDuration);
    EXPECT_EQ(BigEndian(tfhd, 8, 4), Fmp4Encoder::kTicksPerFrame) << frames << " frames";
    EXPECT_EQ(BigEndian(Body(traf, "trun"), 1, 3) & kSampleDuration, 0u) << frames << " frames";
  }
}

TEST(Fmp4LayoutTest, SamplesAreOneIdrPictureThenInterPictures) {
  const std::string data = Body(Encode({.chunk_index = 1, .first_frame = 9}, 12), "mdat");
  std::vector<int> unit_types;
  for (size_t offset = 0; offset < data.size();) {
    unit_types.push_back(data.at(offset + 4) & 31);
    offset += 4 + BigEndian(data, offset, 4);
  }
  ASSERT_EQ(unit_types.size(), 12u) << "parameter sets or SEI between the pictures";
  EXPECT_EQ(unit_types.front(), 5);
  unit_types.erase(unit_types.begin());
  EXPECT_THAT(unit_types, Each(1));
}

}  // namespace
}  // namespace longtake
