// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a disk can do to sessions while their layers are streamed: fail now and then, stall, be
// slow, or get another pack under the server. Never a wrong byte; who is hit hears why; the others
// go on.
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/checked.h"
#include "tests/engine/engine_fixture.h"
#include "tests/engine/resume_fixture.h"
#include "tests/storage/fault_file.h"

namespace longtake {
namespace {

using Attempt = FaultFileSystem::Attempt;
using ::testing::HasSubstr;

bool IsTransformer(const Attempt& attempt) {
  return attempt.path.find("transformer") != std::string::npos;
}

EngineSetup Streaming(FileSystem& files, int64_t read_timeout_millis = 30'000) {
  EngineSetup setup;
  setup.files = &files;
  setup.model.kept_bytes_max = 0;
  setup.model.io = IoChoice::kPread;
  setup.model.read_timeout_nanos = read_timeout_millis * 1'000'000;
  return setup;
}

// Reading ahead is bounded by the slots, however long it takes: all that Streaming allocates.
uint64_t RequestsInSlots(TestEngine& engine) {
  constexpr uint64_t kSlots = 3;  // of one path
  const LayerStream::Options defaults;
  const uint64_t slot_bytes = engine.model().stage().layers().memory_bytes() / kSlots;
  return kSlots * CeilDiv(slot_bytes, defaults.request_bytes);
}

std::vector<std::string> CleanDigests(const std::string& prompt, uint64_t seed, int64_t frames) {
  TestEngine engine;
  return ReadToEnd(engine, **engine.CreateSession(SmallSpec(prompt, seed, frames), "")).Digests();
}

// Turns the stage of an engine with nothing to wait for but its disk.
Received ReadForAtMost(TestEngine& engine, Session& session, int steps) {
  Received received;
  const uint64_t reader = *session.Attach(-1, nullptr);
  for (int i = 0; i < steps && !received.end.has_value(); ++i) {
    engine->Step();
    PollAll(session, reader, &received);
  }
  session.Detach(reader);
  return received;
}

class DiskFaultsTest : public ::testing::Test {
 protected:
  void TearDown() override { files_.set_decide(nullptr); }
  FaultFileSystem files_{PosixFileSystem()};
};

TEST_F(DiskFaultsTest, ErrorsAtAnyRateNeverGiveAWrongFrame) {
  const auto clean = CleanDigests("a red circle", 1, 33);
  for (const uint64_t rate : {8, 32, 100, 1000}) {
    TestEngine engine(Streaming(files_));
    files_.set_decide([rate](const Attempt& attempt) -> ReadFault {
      // Spread without a period that could keep step with the layers.
      const uint64_t mixed = (attempt.number + 1) * 0x9E3779B97F4A7C15;
      if (!IsTransformer(attempt) || (mixed >> 32) % rate != 0) return {};
      return {.error = EIO};
    });
    int failed = 0;
    for (int take = 0; take < 4; ++take) {
      const Received received =
          ReadToEnd(engine, **engine.CreateSession(SmallSpec("a red circle", 1, 33), ""));
      ASSERT_TRUE(received.end.has_value());
      const auto digests = received.Digests();
      ASSERT_LE(digests.size(), clean.size());
      EXPECT_TRUE(std::equal(digests.begin(), digests.end(), clean.begin())) << "1 in " << rate;
      if (received.end->ok()) {
        EXPECT_EQ(digests, clean);
      } else {
        ++failed;
        EXPECT_EQ(received.end->code(), absl::StatusCode::kUnavailable);
        EXPECT_THAT(std::string(received.end->message()), HasSubstr("transformer.pack"));
      }
    }
    EXPECT_EQ(engine->stats().sessions_failed, static_cast<uint64_t>(failed));
    if (rate == 8) {
      EXPECT_GT(failed, 0) << "the faults did not bite";
    }
    files_.set_decide(nullptr);
    EXPECT_EQ(
        ReadToEnd(engine, **engine.CreateSession(SmallSpec("a red circle", 1, 33), "")).Digests(),
        clean);
  }
}

// A layer is everybody's: two sweeps find out that it cannot be had, however many sessions there
// are.
TEST_F(DiskFaultsTest, ALayerThatCannotBeReadCostsTwoSweeps) {
  TestEngine engine(Streaming(files_));
  std::vector<std::shared_ptr<Session>> sessions;
  for (uint64_t i = 0; i < 5; ++i) {
    SessionSpec spec = SmallSpec("a red circle", i, 33);
    // Larger ones take turns with the others instead of sharing a sweep.
    if (i >= 3) spec.width = 160;
    if (i >= 3) spec.height = 96;
    sessions.push_back(*engine.CreateSession(spec, ""));
  }
  while (engine->stats().transformer_sweeps == 0) engine->Step();  // all have their texts
  files_.set_decide([](const Attempt& attempt) -> ReadFault {
    if (!IsTransformer(attempt)) return {};
    return {.error = EIO};
  });
  engine.RunUntilIdle();
  EXPECT_EQ(engine->stats().sweeps_dropped, 2u);
  EXPECT_EQ(engine->stats().sessions_failed, 5u);
  for (const auto& session : sessions) {
    EXPECT_EQ(session->Info().failure.code(), absl::StatusCode::kUnavailable);
  }
}

// So it is with the prompts that wait for a layer of the text encoder.
TEST_F(DiskFaultsTest, ATextLayerThatCannotBeReadCostsTwoSweeps) {
  TestEngine engine(Streaming(files_));
  const auto pack = PackReader::Open(PosixFileSystem(), EmbeddedPack() + "/text_encoder.pack");
  ASSERT_TRUE(pack.ok());
  PartInfo layer = (*pack)->layer(0).parts.front();
  layer.offset += (*pack)->header().payload_offset;
  files_.set_decide([layer](const Attempt& attempt) -> ReadFault {
    const bool text = attempt.path.find("text_encoder") != std::string::npos;
    const bool in_layer =
        attempt.offset >= layer.offset && attempt.offset < layer.offset + layer.bytes;
    if (!text || !in_layer) return {};
    return {.error = EIO};
  });
  for (uint64_t i = 0; i < 5; ++i) {
    SessionSpec spec = SmallSpec("a red circle", i, 33);
    spec.guidance = 3.0;  // two prompts, one failure
    ASSERT_TRUE(engine.CreateSession(spec, "").ok());
  }
  engine.RunUntilIdle();
  EXPECT_EQ(engine->stats().sessions_failed, 5u);
  EXPECT_EQ(engine->stats().text_sweeps, 1u) << "tried twice, together";
}

TEST_F(DiskFaultsTest, AStuckReadFailsWhoNeedsItAndTheOthersGoOn) {
  const auto clean = CleanDigests("a blue square", 2, 33);
  // Longer than a busy machine lets a read wait, and much shorter than those that are stuck.
  TestEngine engine(Streaming(files_, /*read_timeout_millis=*/300));
  auto waiting = *engine.CreateSession(SmallSpec("a blue square", 2, 33), "waiting");
  for (int i = 0; i < 6; ++i) engine->Step();
  ASSERT_TRUE(engine->Submit(*waiting, {EventKind::kPause, ""}).ok());
  while (waiting->Info().state != SessionState::kPaused) ASSERT_TRUE(engine->Step());

  std::atomic<bool> stuck = true;
  files_.set_decide([&stuck](const Attempt& attempt) -> ReadFault {
    return {.delay_millis = stuck && IsTransformer(attempt) ? 2000 : 0};
  });
  auto hit = *engine.CreateSession(SmallSpec("a red circle", 1, 33), "hit");
  const Received failed = ReadForAtMost(engine, *hit, 60);
  ASSERT_TRUE(failed.end.has_value());
  EXPECT_EQ(failed.end->code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(failed.end->message()), HasSubstr("the disk does not answer"));
  EXPECT_GT(engine->stats().transformer_layers.read_timeouts, 0u);

  // While it lasts, nobody waits for long.
  const auto start = std::chrono::steady_clock::now();
  auto next = *engine.CreateSession(SmallSpec("a red circle", 3, 33), "next");
  ASSERT_TRUE(ReadForAtMost(engine, *next, 60).end.has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));

  stuck = false;
  std::this_thread::sleep_for(std::chrono::milliseconds(4500));  // the late answers come in
  ASSERT_TRUE(engine->Submit(*waiting, {EventKind::kResume, ""}).ok());
  EXPECT_EQ(ReadToEnd(engine, *waiting).Digests(), clean);
}

TEST_F(DiskFaultsTest, ASlowDiskIsOnlySlow) {
  const auto clean = CleanDigests("a red circle", 1, 9);
  TestEngine engine(Streaming(files_));
  files_.set_decide([](const Attempt& attempt) -> ReadFault {
    return {.delay_millis = IsTransformer(attempt) ? 5 : 0};
  });
  const Received received =
      ReadToEnd(engine, **engine.CreateSession(SmallSpec("a red circle", 1, 9), ""));
  EXPECT_EQ(received.Digests(), clean);
  const LayerStream::Stats stats = engine->stats().transformer_layers;
  EXPECT_GT(stats.wait_seconds, 0.0);
  EXPECT_EQ(stats.read_timeouts, 0u);
  EXPECT_LE(stats.in_flight, RequestsInSlots(engine));
}

// A hundred times slower for a while (LONGTAKE_SLOW_DISK_SECONDS), in the middle of a take: it goes
// on at the disk's pace, what is read ahead stays bounded, and afterwards it is as fast as before.
TEST_F(DiskFaultsTest, ADiskThatIsSlowForAWhileDelaysAndNothingElse) {
  const char* wanted = std::getenv("LONGTAKE_SLOW_DISK_SECONDS");
  const std::chrono::seconds slow_for(wanted != nullptr ? std::atoi(wanted) : 2);
  const auto clean = CleanDigests("a red circle", 1, 57);
  TestEngine engine(Streaming(files_));
  auto session = *engine.CreateSession(SmallSpec("a red circle", 1, 57), "");
  Received received;
  const uint64_t reader = *session->Attach(-1, nullptr);
  std::atomic<bool> slow = false;
  // A read of the embedded model's layers takes some 50 microseconds here.
  files_.set_decide([&slow](const Attempt& attempt) -> ReadFault {
    return {.delay_millis = slow && IsTransformer(attempt) ? 5 : 0};
  });
  const auto step = [&] {
    const bool busy = engine->Step();
    PollAll(*session, reader, &received);
    return busy;
  };
  while (received.chunks.size() < 2) ASSERT_TRUE(step());
  slow = true;
  const auto start = std::chrono::steady_clock::now();
  const uint64_t requests = RequestsInSlots(engine);
  // What is there already is repeated by other takes for as long as the disk is slow.
  while (std::chrono::steady_clock::now() - start < slow_for) {
    if (!step()) {
      auto other = *engine.CreateSession(SmallSpec("a red circle", 1, 9), "");
      EXPECT_EQ(ReadForAtMost(engine, *other, 1000).Digests(),
                std::vector<std::string>(clean.begin(), clean.begin() + 1));
      EXPECT_TRUE(engine->DeleteSession(other->id()).ok());  // or it keeps its place for its ttl
    }
    ASSERT_LE(engine->stats().transformer_layers.in_flight, requests);
  }
  slow = false;
  while (step()) {
  }
  EXPECT_EQ(received.Digests(), clean);
  EXPECT_EQ(engine->stats().transformer_layers.read_timeouts, 0u);
  EXPECT_EQ(engine->stats().sessions_failed, 0u);
}

// The server holds the file it opened: another pack under its name changes nothing, and what is
// written into the open file is found by the checksums.
TEST_F(DiskFaultsTest, AnotherPackUnderTheServerIsNeverComputedOn) {
  const auto clean = CleanDigests("a red circle", 1, 33);
  const ScratchPack pack;
  EngineSetup setup = Streaming(PosixFileSystem());
  setup.pack = pack.directory();
  TestEngine engine(setup);
  const std::filesystem::path path = std::filesystem::path(pack.directory()) / "transformer.pack";
  const auto size = std::filesystem::file_size(path);
  const std::filesystem::path other = path.string() + ".new";
  {
    std::FILE* file = std::fopen(other.c_str(), "wb");
    const std::vector<char> noise(size, 'x');
    ASSERT_EQ(std::fwrite(noise.data(), 1, size, file), size);
    std::fclose(file);
  }
  std::filesystem::path held = path.string() + ".held";
  std::filesystem::create_hard_link(path, held);
  std::filesystem::rename(other, path);
  EXPECT_EQ(
      ReadToEnd(engine, **engine.CreateSession(SmallSpec("a red circle", 1, 33), "")).Digests(),
      clean);

  std::FILE* file = std::fopen(held.c_str(), "r+b");
  const std::vector<char> noise(size, 'x');
  ASSERT_EQ(std::fwrite(noise.data(), 1, size, file), size);
  std::fclose(file);
  const Received received =
      ReadToEnd(engine, **engine.CreateSession(SmallSpec("a red circle", 1, 33), ""));
  ASSERT_TRUE(received.end.has_value());
  EXPECT_EQ(received.end->code(), absl::StatusCode::kDataLoss) << *received.end;
  const auto digests = received.Digests();
  EXPECT_LT(digests.size(), clean.size());
  EXPECT_TRUE(std::equal(digests.begin(), digests.end(), clean.begin()));
}

struct FaultyFiles {
  FaultFileSystem files{PosixFileSystem()};
};

class DiskFaultsAndAStoreTest : private FaultyFiles, public ResumeTest {
 protected:
  DiskFaultsAndAStoreTest() : ResumeTest(Streaming(files)) {}
  ~DiskFaultsAndAStoreTest() override { files.set_decide(nullptr); }
  // A sweep finds no layer, so every session that was to take part in it fails.
  void FailAll() {
    files.set_decide([](const Attempt& attempt) -> ReadFault {
      if (!IsTransformer(attempt)) return {};
      return {.error = EIO};
    });
    RunUntilIdle();
    files.set_decide(nullptr);
  }
};

// What passes ends the session's life in memory and nothing else.
TEST_F(DiskFaultsAndAStoreTest, ASessionThatIsKeptGoesOnWhenTheDiskIsBack) {
  Create(Spec(8), "whole");
  const std::vector<std::string> all = Read("whole", 0).Digests();
  for (const bool asks_to_create : {false, true}) {
    const std::string id = asks_to_create ? "created" : "attached";
    const auto session = Create(Spec(8), id);
    EXPECT_EQ(ReadSome(id, 0, 3), std::vector<std::string>(all.begin(), all.begin() + 3));
    FailAll();
    ASSERT_EQ(session->Info().failure.code(), absl::StatusCode::kUnavailable);
    if (asks_to_create) {
      EXPECT_NE(Create(Spec(8), id), session);
    }
    // Who did not say where begins with what may not have been sent.
    const Received rest = Read(id, asks_to_create ? -1 : 3);
    ASSERT_FALSE(rest.chunks.empty());
    EXPECT_LE(rest.chunks[0]->index, 3);
    EXPECT_EQ(rest.Digests(), From(all, static_cast<size_t>(rest.chunks[0]->index)));
    ASSERT_TRUE(rest.end.has_value());
    EXPECT_TRUE(rest.end->ok()) << *rest.end;
  }
}

// Of one that is not all on disk its memory is all there is.
TEST_F(DiskFaultsAndAStoreTest, OneThatIsNotKeptStaysWhatItIs) {
  waiting_bytes_max_ = 2000;  // half of it for what gaps keep
  Begin();
  const auto session = Create(Endless(), "one");
  ReadSome("one", 0, 2);
  ASSERT_EQ(store_->stats().broken_off, 1);
  FailAll();
  ASSERT_EQ(session->Info().failure.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(*engine_->Wake("one", 2), session);
}

}  // namespace
}  // namespace longtake
