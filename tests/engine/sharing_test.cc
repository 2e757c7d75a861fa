// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions that share an engine: nobody starves, and a fault takes along only whom it concerns.
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/engine/engine_fixture.h"
#include "tests/storage/fault_file.h"

namespace longtake {
namespace {

// Clients that come and go, each with a prompt to encode, must not keep a running session waiting.
TEST(SharingTest, AFloodOfNewSessionsDoesNotStopTheVideo) {
  EngineSetup setup;
  setup.model.tokens_max = 18;  // one session of 48x32 a sweep
  TestEngine engine(setup);
  auto old = *engine.CreateSession(SmallSpec("a red circle", 1, 33), "old");
  Received received;
  const uint64_t reader = *old->Attach(-1, nullptr);
  const int steps_max = 400;
  int steps = 0;
  for (; steps < steps_max && !received.end; ++steps) {
    const std::string id = "new-" + std::to_string(steps);
    ASSERT_TRUE(engine.CreateSession(SmallSpec("a blue square", 2, 0), id).ok());
    engine->Step();
    if (steps >= 8) {
      EXPECT_TRUE(engine->DeleteSession("new-" + std::to_string(steps - 8)).ok());
    }
    PollAll(*old, reader, &received);
  }
  EXPECT_EQ(received.chunks.size(), 3u) << "after " << steps << " steps";
  EXPECT_GE(engine->stats().text_sweeps, static_cast<uint64_t>(steps) / 3) << "of prompts, beside";
  EXPECT_LT(steps, steps_max);
}

// Ten times the rows: one chunk of the large session for ten of the small one.
TEST(SharingTest, ASmallSessionIsNotAsSlowAsALargeOne) {
  TestEngine engine;
  SessionSpec spec = SmallSpec("a blue square", 2, 0);
  spec.width = 160;
  spec.height = 96;
  auto large = *engine.CreateSession(spec, "large");
  auto small = *engine.CreateSession(SmallSpec("a red circle", 1, 0), "small");
  const uint64_t reader = *small->Attach(-1, nullptr);
  Received received;
  while (large->Info().chunk_count < 1 && engine->Step()) PollAll(*small, reader, &received);
  EXPECT_EQ(large->Info().chunk_count, 1);
  EXPECT_GE(received.chunks.size(), 8u);
  EXPECT_LE(received.chunks.size(), 12u);
}

// Reads of the text encoder's pack fail as often as asked; its layers are in memory, so these are
// the rows of the prompts' tokens.
class TextFault {
 public:
  explicit TextFault(FaultFileSystem& files) {
    files.set_decide([this](const FaultFileSystem::Attempt& attempt) -> ReadFault {
      if (attempt.path.find("text_encoder") == std::string::npos || failures == 0) return {};
      --failures;
      return {.error = EIO};
    });
  }
  int failures = 0;
};

class TextEncoderReadFaultTest : public ::testing::Test {
 protected:
  TextEncoderReadFaultTest()
      : files_(PosixFileSystem()), fault_(files_), engine_({.files = &files_, .model = {}}) {}

  Received Read(Session& session) { return ReadToEnd(engine_, session); }

  FaultFileSystem files_;
  TextFault fault_;
  TestEngine engine_;
};

TEST_F(TextEncoderReadFaultTest, AReadThatFailsOnceIsTriedAgain) {
  fault_.failures = 1;
  const Received received = Read(**engine_.CreateSession(SmallSpec("a red circle", 1, 9), ""));
  ASSERT_TRUE(received.end.has_value());
  EXPECT_TRUE(received.end->ok()) << *received.end;
}

TEST_F(TextEncoderReadFaultTest, APromptThatCannotBeReadFailsItsSessionOnly) {
  const auto good = Read(**engine_.CreateSession(SmallSpec("a blue square", 2, 9), "")).Digests();
  auto running = *engine_.CreateSession(SmallSpec("a red circle", 1, 33), "");
  engine_->Step();
  engine_->Step();
  auto first = *engine_.CreateSession(SmallSpec("a green triangle", 1, 9), "");
  auto second = *engine_.CreateSession(SmallSpec("a blue square", 2, 9), "");
  fault_.failures = 4;  // the prompts together, twice; then the first alone, twice
  EXPECT_TRUE(engine_->Submit(*first, {EventKind::kPause, ""}).ok());
  const Received failed = Read(*first);
  ASSERT_TRUE(failed.end.has_value());
  EXPECT_EQ(failed.applied.size(), 1u) << "an accepted control is answered, come what may";
  EXPECT_EQ(failed.end->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(fault_.failures, 0);
  EXPECT_EQ(Read(*second).Digests(), good);
  const Received whole = Read(*running);
  EXPECT_EQ(whole.chunks.size(), 3u);
  EXPECT_TRUE(whole.end.has_value() && whole.end->ok());
}

// A session whose ttl is 0 ends with its client, between two layers and not after the sweep.
TEST(SharingTest, WhoeverLeavesInMidSweepIsNotComputedToTheEnd) {
  FaultFileSystem files(PosixFileSystem());
  EngineSetup setup;
  setup.files = &files;
  setup.model.kept_bytes_max = 0;  // every sweep reads its layers
  setup.model.slot_count = 1;
  setup.model.io = IoChoice::kPread;
  TestEngine engine(setup);
  SessionSpec spec = SmallSpec("a red circle", 1, 0);
  spec.ttl_nanos = 0;
  auto session = *engine.CreateSession(spec, "");
  const uint64_t reader = *session->Attach(-1, nullptr);
  engine->Step();  // its text
  files.set_decide([&](const FaultFileSystem::Attempt& attempt) -> ReadFault {
    if (attempt.path.find("transformer") != std::string::npos) session->Detach(reader);
    return {};
  });
  engine.RunUntilIdle();
  files.set_decide({});  // reads ahead go on after the session is gone
  EXPECT_EQ(engine->stats().transformer_sweeps, 0u);
  EXPECT_EQ(engine->stats().sweeps_dropped, 1u);
  EXPECT_EQ(engine->stats().kv_bytes, 0u);
}

}  // namespace
}  // namespace longtake
