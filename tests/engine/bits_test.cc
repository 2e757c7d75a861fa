// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The promise of the numerics profile: the bytes of a session depend on its spec alone, not on who
// else is there, how many threads compute, where the layers come from or which kernels run.
#include <gtest/gtest.h>

#include "storage/pack/pack_twin.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

constexpr int64_t kFrames = 45;

SessionSpec TheSession() { return SmallSpec("a red circle moving to the right", 42, kFrames); }

std::vector<std::string> DigestsWith(const EngineSetup& setup) {
  TestEngine engine(setup);
  return ReadToEnd(engine, **engine.CreateSession(TheSession(), "")).Digests();
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
  setup.model.kept_bytes_max = 0;
  setup.model.slot_count = 2;
  EXPECT_EQ(DigestsWith(setup), Reference());
  TestEngine engine(setup);
  ReadToEnd(engine, **engine.CreateSession(TheSession(), ""));
  EXPECT_GT(engine->stats().transformer_layers.bytes_read, engine.model().transformer_bytes() * 10)
      << "the layers must really have been streamed";
}

TEST(BitsTest, PreadIsIoUring) {
  EngineSetup setup;
  setup.model.kept_bytes_max = 0;
  setup.model.io = IoChoice::kPread;
  EXPECT_EQ(DigestsWith(setup), Reference());
}

// Streamed and partly kept, by io_uring where there is one and by threads.
TEST(BitsTest, LayerPathsDoNotMatter) {
  for (const size_t paths : {2, 3}) {
    const ScratchDirectory scratch;
    EngineSetup setup;
    for (size_t i = 0; i < paths; ++i) {
      setup.model.layer_paths.push_back(scratch.directory() + "/" + std::to_string(i));
    }
    ASSERT_EQ(SpreadLayers(PosixFileSystem(), EmbeddedPack(), setup.model.layer_paths, nullptr),
              absl::OkStatus());
    for (const IoChoice io : {IoChoice::kAuto, IoChoice::kPread}) {
      setup.model.io = io;
      for (const uint64_t kept_bytes_max : {uint64_t{0}, uint64_t{4} << 20}) {
        setup.model.kept_bytes_max = kept_bytes_max;
        EXPECT_EQ(DigestsWith(setup), Reference()) << paths << " " << kept_bytes_max;
      }
    }
  }
}

TEST(BitsTest, BothInstructionSetsAgree) {
  EngineSetup setup;
  setup.model.instruction_set_max = "x86-64-v3";
  EXPECT_EQ(DigestsWith(setup), Reference());
}

// int8 layers: the same on every instruction set, and not what bf16 layers give.
TEST(BitsTest, Int8LayersAgreeOnAllInstructionSets) {
  PackModelOptions options;
  options.quantize_int8 = true;
  const ScratchPack pack(options);
  EngineSetup setup;
  setup.pack = pack.directory();
  const std::vector<std::string> best = DigestsWith(setup);
  EXPECT_NE(best, Reference());
  for (const char* isa : {"x86-64-v3", "x86-64-v4", "x86-64-v4+vnni"}) {
    setup.model.instruction_set_max = isa;
    EXPECT_EQ(DigestsWith(setup), best) << isa;
  }
}

bool HasAmx() {
  const auto profiles = CpuNumericsProfiles();
  return std::find(profiles.begin(), profiles.end(), kAmxBf16Profile) != profiles.end();
}

// The other profile is other bits, and keeps the same promises.
TEST(BitsTest, AmxProfileDiffersFromPortableAndIsReproducible) {
  if (!HasAmx()) GTEST_SKIP() << "no AMX";
  EngineSetup setup;
  setup.model.numerics_profile = kAmxBf16Profile;
  const std::vector<std::string> digests = DigestsWith(setup);
  EXPECT_NE(digests, Reference());
  setup.threads = 3;
  setup.model.kept_bytes_max = 0;
  EXPECT_EQ(DigestsWith(setup), digests);
  setup.model.tokens_max = 100;
  TestEngine engine(setup);
  const auto other = *engine.CreateSession(SmallSpec("a blue square going up", 1, 0), "");
  EXPECT_EQ(ReadToEnd(engine, **engine.CreateSession(TheSession(), "")).Digests(), digests);
}

// A take made on one build goes on elsewhere when the profile is the same, whatever the instruction
// set; under another profile it is refused by name, or made all the same and told apart.
TEST(BitsTest, ATakeFromAnotherBuildIsRefusedOrMarked) {
  EngineSetup old_build;
  old_build.model.instruction_set_max = "x86-64-v3";
  TestEngine made_on(old_build);
  const auto original = *made_on.CreateSession(TheSession(), "");
  const SessionSpec spec = original->Info().spec;
  EXPECT_EQ(spec.numerics_profile, kFmaChainProfile);

  TestEngine same_profile;
  EXPECT_EQ(ReadToEnd(same_profile, **same_profile.CreateSession(spec, "")).Digests(),
            ReadToEnd(made_on, *original).Digests());

  SessionSpec foreign = spec;
  foreign.numerics_profile = "cpu-of-tomorrow-v1";
  const auto refused = same_profile.CreateSession(foreign, "");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  const std::string message(refused.status().message());
  EXPECT_NE(message.find("cpu-fma-chain-v1, not cpu-of-tomorrow-v1"), std::string::npos) << message;

  foreign.allow_other_numerics = true;
  const auto marked = *same_profile.CreateSession(foreign, "");
  EXPECT_EQ(marked->Info().spec.numerics_profile, "cpu-of-tomorrow-v1");
  EXPECT_EQ(ReadToEnd(same_profile, *marked).Digests(), Reference());

  if (!HasAmx()) return;
  EngineSetup amx;
  amx.model.numerics_profile = kAmxBf16Profile;
  TestEngine other_profile(amx);
  EXPECT_EQ(other_profile.CreateSession(spec, "").status().code(),
            absl::StatusCode::kFailedPrecondition);
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
      others.push_back(*engine.CreateSession(spec, ""));
    };
    for (uint64_t seed = 1; seed <= 4; ++seed) add(seed);
    for (int i = 0; i < 5; ++i) engine->Step();
    auto session = *engine.CreateSession(TheSession(), "the-one");
    for (uint64_t seed = 5; seed <= 7; ++seed) add(seed);
    EXPECT_EQ(ReadToEnd(engine, *session).Digests(), Reference());
    EXPECT_GT(engine->stats().items, engine->stats().transformer_sweeps);
  }
}

TEST(BitsTest, ARepeatedRunIsIdentical) { EXPECT_EQ(DigestsWith({}), Reference()); }

}  // namespace
}  // namespace longtake
