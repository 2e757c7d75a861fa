// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Takes that begin with frames of the client's own (spec 3.5), through the whole engine.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

constexpr int64_t kStartFrames = 9;
constexpr int64_t kFrames = 33;

SessionSpec StartSpec(int64_t start_frames = kStartFrames) {
  SessionSpec spec = SmallSpec("a red circle moving to the right", 42, kFrames);
  spec.start_frames = start_frames;
  return spec;
}

// The first frames of a take of the model's own: what it can show well.
std::string Clip(TestEngine& engine) {
  const SessionSpec spec = SmallSpec("a red circle moving to the right", 7, kFrames);
  const Received take = ReadToEnd(engine, **engine.CreateSession(spec, ""));
  const std::vector<uint8_t>& rgb = take.chunks.front()->rgb;
  return {rgb.begin(), rgb.begin() + kStartFrames * 48 * 32 * 3};
}

std::vector<std::string> Begin(TestEngine& engine, const SessionSpec& spec, const std::string& clip,
                               size_t part_bytes) {
  const auto session = *engine.CreateSession(spec, "");
  for (size_t at = 0; at < clip.size(); at += part_bytes) {
    EXPECT_TRUE(session->PutStart(0, static_cast<int64_t>(at), clip.substr(at, part_bytes)).ok());
    engine->Step();
  }
  const Received received = ReadToEnd(engine, *session);
  EXPECT_TRUE(received.end.has_value() && received.end->ok());
  return received.Digests();
}

TEST(StartTest, TheTakeBeginsWithTheFramesAndGoesOn) {
  TestEngine engine;
  const std::string clip = Clip(engine);
  const auto session = *engine.CreateSession(StartSpec(), "");
  ASSERT_TRUE(session->PutStart(0, 0, clip).ok());
  EXPECT_EQ(session->Info().start_bytes, clip.size());
  const Received received = ReadToEnd(engine, *session);
  ASSERT_EQ(received.chunks.size(), 3u);
  const std::vector<uint8_t>& first = received.chunks.front()->rgb;
  ASSERT_EQ(first.size(), clip.size());
  double square = 0;
  for (size_t i = 0; i < clip.size(); ++i) {
    const int difference = int{first[i]} - static_cast<uint8_t>(clip[i]);
    square += difference * difference;
  }
  const double psnr = 10 * std::log10(255 * 255 * static_cast<double>(clip.size()) / square);
  EXPECT_GT(psnr, 25.0) << "through encoder and decoder";
  EXPECT_EQ(session->Info().frame_count, kFrames);
}

TEST(StartTest, UploadPartSizesDoNotChangeFrames) {
  TestEngine engine;
  const std::string clip = Clip(engine);
  const std::vector<std::string> whole = Begin(engine, StartSpec(), clip, clip.size());
  EXPECT_EQ(Begin(engine, StartSpec(), clip, 1000), whole);
  // With others in the sweeps, chunks to decode between the clip's latents, and one thread.
  EngineSetup setup;
  setup.threads = 1;
  TestEngine busy(setup);
  const auto other = *busy.CreateSession(SmallSpec("a blue square going up", 1, 0), "");
  EXPECT_EQ(Begin(busy, StartSpec(), clip, 4000), whole);
  std::string changed = clip;
  for (char& value : changed) value = static_cast<char>(~value);
  EXPECT_NE(Begin(engine, StartSpec(), changed, 4000), whole);
}

TEST(StartTest, ItWaitsForItsFrames) {
  TestEngine engine;
  const std::string clip = Clip(engine);
  const auto session = *engine.CreateSession(StartSpec(), "");
  ASSERT_TRUE(session->PutStart(0, 0, clip.substr(1)).ok());
  engine.RunUntilIdle();
  EXPECT_EQ(session->Info().state, SessionState::kStarting);
  EXPECT_EQ(session->Info().chunk_count, 0);
  const auto refused = [&](int64_t offset, const std::string& bytes) {
    return std::string(session->PutStart(0, offset, bytes).message());
  };
  EXPECT_EQ(refused(0, "x"), "data_offset: 0; the next byte is number 41471");
  EXPECT_EQ(refused(41471, "xy"), "data: more than the 41472 bytes of 9 frames");
  ASSERT_TRUE(session->PutStart(0, 41471, "x").ok());
  EXPECT_TRUE(ReadToEnd(engine, *session).end->ok());
}

// After a break the upload goes on where it stopped, and only from the new reader.
TEST(StartTest, AnotherReaderGoesOnWithTheUpload) {
  TestEngine other;
  const std::string clip = Clip(other);
  TestEngine engine;
  const auto session = *engine.CreateSession(StartSpec(), "");
  const uint64_t first = *session->Attach(-1, nullptr);
  ASSERT_TRUE(session->PutStart(first, 0, clip.substr(0, 1000)).ok());
  const uint64_t second = *session->Attach(-1, nullptr);
  EXPECT_EQ(session->PutStart(first, 1000, clip.substr(1000)).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(session->Info().start_bytes, 1000u);
  ASSERT_TRUE(session->PutStart(second, 1000, clip.substr(1000)).ok());
  EXPECT_TRUE(ReadToEnd(engine, *session).end->ok());
}

TEST(StartTest, OneThatIsDeletedMeanwhileLeavesNothing) {
  TestEngine other;
  const std::string clip = Clip(other);
  TestEngine engine;
  for (int steps = 0; steps < 6; ++steps) {
    const auto session = *engine.CreateSession(StartSpec(), "");
    ASSERT_TRUE(session->PutStart(0, 0, clip).ok());
    for (int i = 0; i < steps; ++i) engine->Step();
    ASSERT_TRUE(engine->DeleteSession(session->id()).ok());
    EXPECT_TRUE(session->PutStart(0, 0, clip).ok()) << "thrown away";
    EXPECT_LE(session->Info().start_bytes, steps == 0 ? 0u : clip.size());
    engine.RunUntilIdle();
  }
  EXPECT_EQ(engine->stats().kv_bytes, 0u);
  EXPECT_EQ(engine->stats().waiting_starts, 0u);
  EXPECT_TRUE(engine->Sessions().empty());
}

TEST(StartTest, OnlyWholeChunksThatLeaveSomethingToDo) {
  TestEngine engine;
  const auto why = [&](int64_t start_frames) {
    return std::string(engine.CreateSession(StartSpec(start_frames), "").status().message());
  };
  EXPECT_EQ(why(1), "start_frame_count: 1 is not 12 k - 3 (9, 21, ...) up to 321");
  EXPECT_EQ(why(-3), "start_frame_count: -3 is not 12 k - 3 (9, 21, ...) up to 321");
  EXPECT_EQ(why(333), "start_frame_count: 333 is not 12 k - 3 (9, 21, ...) up to 321");
  EXPECT_EQ(why(33),
            "start_frame_count: the take begins with 33 given frames and is 33 long, which leaves "
            "nothing "
            "to generate");
  const auto plain = *engine.CreateSession(SmallSpec("a", 1, 9), "");
  EXPECT_EQ(plain->PutStart(0, 0, "x").message(), "data: this session begins with noise");

  EngineSetup setup;
  setup.model.with_encoder = false;
  TestEngine without(setup);
  const absl::Status status = without.CreateSession(StartSpec(), "").status();
  EXPECT_NE(std::string(status.message()).find("keeps no encoder"), std::string::npos) << status;
}

// A rolling sink, a re-cache and several chunks at once begin with given frames, too.
TEST(StartTest, EveryPolicyGoesOnFromThem) {
  TestEngine embedded;
  const std::string clip = Clip(embedded);
  for (const char* name : {"rolling-sink", "longlive", "rolling-forcing"}) {
    std::string recipe = *NamedRecipeJson(name);
    const ScratchPack pack(recipe);
    EngineSetup setup;
    setup.pack = pack.directory();
    TestEngine engine(setup);
    SessionSpec spec = StartSpec();
    spec.frame_count = 105;  // beyond every window
    EXPECT_EQ(Begin(engine, spec, clip, clip.size()).size(), 9u) << name;
  }
}

}  // namespace
}  // namespace longtake
