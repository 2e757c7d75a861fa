// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// When a clean pass rides in the sweep of the next step, and when it takes one of its own. The bits
// are the same either way.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

constexpr int64_t kChunks = 6;
constexpr uint64_t kChained = kChunks * 4;                   // as many sweeps as steps
constexpr uint64_t kAlone = kChunks * 4 + (kChunks - 1);     // and clean passes but for the last
constexpr int64_t kChunkTokens = 3 * (48 / 16) * (32 / 16);  // rows of a chunk

SessionSpec Spec() {
  SessionSpec spec = SmallSpec("a red circle on a white background", 7, 12 * kChunks - 3);
  spec.key_plan = KeyPlanSpec{.kind = KeyPlanKind::kWindow, .window_frames = 12};
  return spec;
}

struct Take {
  std::vector<std::string> digests;
  uint64_t sweeps = 0;
};

Take MakeTake(const EngineSetup& setup) {
  TestEngine engine(setup);
  const Received received = ReadToEnd(engine, **engine.CreateSession(Spec(), ""));
  EXPECT_TRUE(received.end->ok()) << *received.end;
  return {.digests = received.Digests(), .sweeps = engine->stats().transformer_sweeps};
}

EngineSetup InFile(uint64_t staging_bytes) {
  EngineSetup setup;
  setup.engine.kv_bytes_max = 64 << 10;  // too little for a session
  setup.engine.files = &PosixFileSystem();
  setup.engine.kv_file_directory = std::filesystem::temp_directory_path().string();
  setup.engine.kv_file_bytes_max = 64 << 20;
  setup.engine.kv_stream.bytes = staging_bytes;
  return setup;
}

TEST(ChainedTest, ACleanPassRidesWhereItsRowsFit) {
  const Take chained = MakeTake(EngineSetup());
  EXPECT_EQ(chained.sweeps, kChained);
  EngineSetup narrow;
  narrow.model.tokens_max = 2 * kChunkTokens - 1;
  const Take alone = MakeTake(narrow);
  EXPECT_EQ(alone.sweeps, kAlone);
  EXPECT_EQ(alone.digests, chained.digests);
}

TEST(ChainedTest, FramesOfAFileAreLentWhereTheyFit) {
  const Take memory = MakeTake(EngineSetup());
  const Take lent = MakeTake(InFile(4 << 20));
  EXPECT_EQ(lent.sweeps, kChained);
  EXPECT_EQ(lent.digests, memory.digests);
  // The window's nine frames can just be read, but three frames and one more cannot be written.
  const Take alone = MakeTake(InFile(176 << 10));
  EXPECT_EQ(alone.sweeps, kAlone);
  EXPECT_EQ(alone.digests, memory.digests);
}

// What a layer of all of them lends would stop the writes of each.
TEST(ChainedTest, SessionsOfAFileShareTheRoomForLending) {
  const Take memory = MakeTake(EngineSetup());
  TestEngine engine(InFile(500 << 10));
  std::vector<std::shared_ptr<Session>> sessions;
  std::vector<uint64_t> readers;
  std::vector<Received> received(3);
  for (size_t i = 0; i < received.size(); ++i) {
    sessions.push_back(*engine.CreateSession(Spec(), ""));
    readers.push_back(*sessions[i]->Attach(-1, nullptr));
  }
  while (engine->Step() || engine->Step()) {
    for (size_t i = 0; i < received.size(); ++i) PollAll(*sessions[i], readers[i], &received[i]);
  }
  for (const Received& one : received) {
    ASSERT_TRUE(one.end.has_value() && one.end->ok()) << *one.end;
    EXPECT_EQ(one.Digests(), memory.digests);
  }
  EXPECT_EQ(engine->stats().kv_stream.timeouts, 0u);
}

// A clean pass and the forward after it need not read the same frames, so a sweep of both may read
// more than a sweep of one: all 21 that are held, of which one attends to 18 at most.
TEST(ChainedTest, WhatASweepOfBothReadsFitsTheStaging) {
  struct Case {
    const char* recipe;
    int64_t chunks;
    uint64_t staging_bytes;
    size_t sessions;
  };
  // A layer of a frame is 8 KiB; two layers of 19 frames or of 38 find room to be read into.
  for (const Case& c : {Case{"rolling-forcing", 12, 352 << 10, 1},
                        {"rolling-sink", 16, 352 << 10, 1},
                        {"rolling-forcing", 12, 696 << 10, 2}}) {
    const ScratchPack pack(SmallRecipe(c.recipe));
    const SessionSpec spec = SmallSpec("a red circle", 1, 12 * c.chunks - 3);
    EngineSetup resident;
    resident.pack = pack.directory();
    TestEngine memory(resident);
    const auto expected = ReadToEnd(memory, **memory.CreateSession(spec, "")).Digests();
    EngineSetup setup = InFile(c.staging_bytes);
    setup.pack = pack.directory();
    setup.engine.on_sweep = [&](std::string_view, const absl::Status& status) {
      EXPECT_TRUE(status.ok()) << c.recipe << ": " << status;
    };
    TestEngine engine(setup);
    std::vector<std::shared_ptr<Session>> sessions;
    for (size_t i = 0; i < c.sessions; ++i) sessions.push_back(*engine.CreateSession(spec, ""));
    engine.RunUntilIdle();
    for (const auto& session : sessions) {
      const Received received = ReadToEnd(engine, *session);
      EXPECT_TRUE(received.end->ok()) << c.recipe << ": admitted, and then: " << *received.end;
      EXPECT_EQ(received.Digests(), expected) << c.recipe;
    }
  }
}

}  // namespace
}  // namespace longtake
