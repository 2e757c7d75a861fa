// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The promise of the numerics profile: the bytes of a session depend on its spec alone, not on who
// else is there, how many threads compute, where the layers come from or which kernels run.
#include <gtest/gtest.h>

#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

constexpr int64_t kFrames = 45;

SessionSpec TheSession() { return SmallSpec("a red circle moving to the right", 42, kFrames); }

std::vector<std::string> DigestsWith(const EngineSetup& setup) {
  TestEngine engine(setup);
  return ReadToEnd(engine, **engine->CreateSession(TheSession(), "")).Digests();
}

const std::vector<std::string>& Reference() {
  static const std::vector<std::string> digests = DigestsWith({});
  return digests;
}

TEST(BitsTest, ThreadsDoNotMatter) {
  for (int threads : {1, 3}) {
    EngineSetup setup;
    setup.threads = threads;
    EXPECT_EQ(DigestsWith(setup), Reference()) << threads << " threads";
  }
}

TEST(BitsTest, StreamedIsResident) {
  EngineSetup setup;
  setup.model.pinned_bytes_max = 0;
  setup.model.slot_count = 2;
  EXPECT_EQ(DigestsWith(setup), Reference());
  TestEngine engine(setup);
  ReadToEnd(engine, **engine->CreateSession(TheSession(), ""));
  EXPECT_GT(engine->stats().transformer_layers.bytes_read, engine.model().transformer_bytes() * 10)
      << "the layers must really have been streamed";
}

TEST(BitsTest, PreadIsIoUring) {
  EngineSetup setup;
  setup.model.pinned_bytes_max = 0;
  setup.model.io = LayerStream::Io::kPread;
  EXPECT_EQ(DigestsWith(setup), Reference());
}

TEST(BitsTest, BothInstructionSetsAgree) {
  EngineSetup setup;
  setup.model.instruction_set_max = "x86-64-v3";
  EXPECT_EQ(DigestsWith(setup), Reference());
}

TEST(BitsTest, CompanyDoesNotMatter) {
  EngineSetup setup;
  // Few fit a sweep, or all do.
  for (int64_t tokens_max : {int64_t{100}, int64_t{2048}}) {
    setup.model.tokens_max = tokens_max;
    TestEngine engine(setup);
    std::vector<std::shared_ptr<Session>> others;
    const auto add = [&](uint64_t seed) {
      SessionSpec spec = SmallSpec("a blue square going up", seed, 0);
      spec.width = seed % 2 == 0 ? 48 : 64;
      if (seed % 3 == 0) spec.steps = {1000, 600, 300};
      others.push_back(*engine->CreateSession(spec, ""));
    };
    for (uint64_t seed = 1; seed <= 4; ++seed) add(seed);
    for (int i = 0; i < 5; ++i) engine->Step();
    auto session = *engine->CreateSession(TheSession(), "the-one");
    for (uint64_t seed = 5; seed <= 7; ++seed) add(seed);
    EXPECT_EQ(ReadToEnd(engine, *session).Digests(), Reference());
    EXPECT_GT(engine->stats().items, engine->stats().transformer_sweeps);
  }
}

TEST(BitsTest, ARepeatedRunIsIdentical) { EXPECT_EQ(DigestsWith({}), Reference()); }

}  // namespace
}  // namespace longtake
