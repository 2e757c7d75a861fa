// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// K/V beyond memory: room in the file, and sessions whose K/V comes from the disk and whose frames
// are the same for it.
#include <gmock/gmock.h>

#include "base/error_reason.h"
#include "engine/backend/host_device.h"
#include "storage/scratch/scratch_file.h"
#include "tests/engine/engine_fixture.h"
#include "tests/storage/fault_file.h"

namespace longtake {
namespace {

using Attempt = FaultFileSystem::Attempt;
using ::testing::HasSubstr;

constexpr uint64_t kBlock = ScratchFile::kBlockBytes;

std::string ScratchDirectory() { return std::filesystem::temp_directory_path().string(); }

// A pool, and a file for what it cannot hold.
KvMemory Beside(KvPool& pool, ScratchFile& file) {
  KvMemory memory(pool);
  memory.file = &file;
  memory.file_layer_bytes_max = memory.file_frame_bytes_max = 1 << 20;
  return memory;
}

TEST(KvShareTest, WhatTheFileCannotHoldIsRefusedWithFigures) {
  constexpr KvLayout kLayout = {.layers = 1, .rows = 2, .width = 256, .dtype = DType::kF32};
  HostDevice device;
  const auto pool = *KvPool::Create(device, 4096, 4096);
  const auto file = *ScratchFile::Create(PosixFileSystem(), ScratchDirectory(), 10 * kBlock);
  const KvMemory memory = Beside(*pool, *file);
  const auto refusal = [&](uint64_t frames) {
    return KvShare::Create(memory, kLayout, {.held = frames, .read = 1}).status();
  };
  EXPECT_EQ(ReasonFor(refusal(11)), Reason::kSessionTooLarge);
  EXPECT_EQ(refusal(11).message(),
            "the session needs 45056 bytes of the K/V file, which has 40960");
  EXPECT_FALSE(refusal(UINT64_MAX).ok());
  ASSERT_TRUE(file->Take(kBlock, 8).ok());
  EXPECT_EQ(ReasonFor(refusal(3)), Reason::kSessionMemoryExhausted);
  EXPECT_EQ(refusal(3).message(),
            "the session needs 12288 bytes of the K/V file, 8192 of 40960 are free");
  const auto share = *KvShare::Create(memory, kLayout, {.held = 2, .read = 1});
  EXPECT_TRUE(share->in_file());
  EXPECT_EQ(file->bytes_taken(), 10 * kBlock);
}

// Free blocks that do not touch are of no use to a frame of two.
TEST(KvShareTest, RoomInTooSmallPiecesIsNoRoom) {
  constexpr KvLayout kLayout = {.layers = 2, .rows = 2, .width = 256, .dtype = DType::kF32};
  HostDevice device;
  const auto pool = *KvPool::Create(device, 4096, 4096);
  const auto file = *ScratchFile::Create(PosixFileSystem(), ScratchDirectory(), 4 * kBlock);
  const KvMemory memory = Beside(*pool, *file);
  const std::vector<uint64_t> blocks = *file->Take(kBlock, 4);
  file->Give(std::vector<uint64_t>{blocks[0], blocks[2]}, kBlock);
  const auto share = KvShare::Create(memory, kLayout, {.held = 1, .read = 1});
  EXPECT_EQ(share.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(share.status().message(),
            "the K/V file has room for the session, but not in pieces of 8192 bytes");
  EXPECT_EQ(file->bytes_taken(), 2 * kBlock);
}

// ---- Whole sessions.

struct FileSetup : EngineSetup {
  explicit FileSetup(FileSystem& kv_files = PosixFileSystem(), uint64_t kv_bytes = 64 << 10) {
    engine.kv_bytes_max = kv_bytes;
    engine.files = &kv_files;
    engine.kv_file_directory = ScratchDirectory();
    engine.kv_file_bytes_max = 64 << 20;
    engine.kv_stream.bytes = 4 << 20;
  }
};

// Read to its end; another prompt from the third chunk on.
std::vector<std::string> TakeWithChange(TestEngine& engine, SessionSpec spec) {
  spec.prompt_changes = {{.frame = 21, .prompt = "a blue square"}};
  auto session = *engine.CreateSession(spec, "");
  Received received;
  const uint64_t reader = *session->Attach(-1, nullptr);
  while (!received.end.has_value() && engine->Step()) PollAll(*session, reader, &received);
  PollAll(*session, reader, &received);
  EXPECT_TRUE(received.end.has_value() && received.end->ok()) << *received.end;
  return received.Digests();
}

TEST(KvFileSessionTest, EveryRecipeMakesTheSameFramesFromTheFile) {
  int recipes = 0;
  for (const std::string& name : RecipeNames()) {
    const ScratchPack pack(SmallRecipe(name));
    EngineSetup resident;
    resident.pack = pack.directory();
    FileSetup in_file;
    in_file.pack = pack.directory();
    SessionSpec spec = SmallSpec("a red circle on a white background", 7, 93);
    TestEngine memory(resident);
    if (!memory->Resolve(spec).ok()) continue;
    ++recipes;
    const auto expected = TakeWithChange(memory, spec);
    EXPECT_EQ(memory->stats().kv_stream.bytes_read, 0u);
    TestEngine file(in_file);
    EXPECT_EQ(TakeWithChange(file, spec), expected) << name;
    const KvStream::Stats stats = file->stats().kv_stream;
    EXPECT_GT(stats.bytes_written, 0u) << name;
    EXPECT_EQ(stats.checksum_failures, 0u);
    file.RunUntilIdle();
    EXPECT_EQ(file->stats().kv_file_bytes, 0u) << "given back";
  }
  EXPECT_GE(recipes, 4);
}

TEST(KvFileSessionTest, GuidanceAndThreadsOfReadingMakeNoDifference) {
  SessionSpec spec = SmallSpec("a red circle", 3, 69);
  spec.guidance = 3.0;
  spec.negative_prompt = "a blue square";
  TestEngine memory;
  const auto expected = TakeWithChange(memory, spec);
  for (const IoChoice io : {IoChoice::kAuto, IoChoice::kPread}) {
    FileSetup setup;
    setup.engine.kv_stream.io = io;
    TestEngine file(setup);
    EXPECT_EQ(TakeWithChange(file, spec), expected);
    EXPECT_GT(file->stats().kv_stream.bytes_read, 0u);
  }
}

// Two sessions at once, the first in a pool that has room for no other.
class BesideThePoolTest : public ::testing::Test {
 protected:
  BesideThePoolTest() {
    TestEngine alone;
    expected_first_ = ReadToEnd(alone, **alone.CreateSession(first_, "")).Digests();
    expected_second_ = ReadToEnd(alone, **alone.CreateSession(second_, "")).Digests();
    const uint64_t needs = alone.Estimate(first_)->kv_bytes;
    pool_bytes_ = needs + needs / 2;
  }

  // After every step, and once at the end, both are read and look is called.
  void Run(TestEngine& engine, const std::function<void()>& look) {
    auto in_pool = *engine.CreateSession(first_, "");
    EXPECT_TRUE(engine.Estimate(second_)->kv_in_file);
    auto in_file = *engine.CreateSession(second_, "");
    const uint64_t pool_reader = *in_pool->Attach(-1, nullptr);
    const uint64_t file_reader = *in_file->Attach(-1, nullptr);
    bool busy = true;
    while (busy) {
      busy = engine->Step();
      PollAll(*in_pool, pool_reader, &pool_received_);
      PollAll(*in_file, file_reader, &file_received_);
      look();
    }
  }

  const SessionSpec first_ = SmallSpec("a red circle", 1, 69);
  const SessionSpec second_ = SmallSpec("a blue square", 2, 69);
  std::vector<std::string> expected_first_;
  std::vector<std::string> expected_second_;
  uint64_t pool_bytes_ = 0;
  Received pool_received_;
  Received file_received_;
};

TEST_F(BesideThePoolTest, ThePoolIsFilledFirstAndBothShareSweeps) {
  TestEngine engine(FileSetup(PosixFileSystem(), pool_bytes_));
  EXPECT_FALSE(engine.Estimate(first_)->kv_in_file);
  Run(engine, [] {});
  EXPECT_EQ(pool_received_.Digests(), expected_first_);
  EXPECT_EQ(file_received_.Digests(), expected_second_);
  EXPECT_GT(engine->stats().kv_stream.bytes_read, 0u);
}

TEST(KvFileSessionTest, AFullWindowReadsWhatTheEstimateSaid) {
  SessionSpec spec = SmallSpec("a red circle", 1, 0);
  spec.guidance = 3.0;
  FileSetup setup;
  std::vector<SweepLoad> loads;
  setup.engine.predict_sweep = [&loads](const SweepLoad& load) {
    loads.push_back(load);
    return SweepTime{.seconds = load.kv_layer_bytes == 0 ? 2.0 : 3.0};
  };
  TestEngine engine(setup);
  const auto estimate = engine.Estimate(spec);
  ASSERT_TRUE(estimate.ok() && estimate->kv_in_file) << estimate.status();
  // Two branches of a chunk of three frames; each attends to the 18 frames before.
  ASSERT_GE(loads.size(), 2u);
  const int64_t rows = engine.model().kv_layout(spec.width, spec.height).rows;
  SweepLoad expected = SweepLoad::Forward(3 * rows, 18 * rows);
  expected.Add(expected);
  EXPECT_EQ(loads[1], expected) << "in memory";
  expected.kv_layer_bytes = estimate->kv_file_bytes_per_sweep / 6;
  EXPECT_EQ(loads[0], expected) << "six layers";
  EXPECT_DOUBLE_EQ(estimate->kv_file_slowdown, 1.5);
  auto session = *engine.CreateSession(spec, "");
  Received received;
  const uint64_t reader = *session->Attach(-1, nullptr);
  constexpr size_t kChunks = 9;  // the window has room for seven
  uint64_t most = 0;
  while (received.chunks.size() < kChunks) {
    const uint64_t before = engine->stats().kv_stream.bytes_read;
    ASSERT_TRUE(engine->Step());
    most = std::max(most, engine->stats().kv_stream.bytes_read - before);
    PollAll(*session, reader, &received);
  }
  EXPECT_EQ(most, estimate->kv_file_bytes_per_sweep);
}

// A layer of a frame is 8 KiB here: 18 of them are read, 21 held.
TEST(KvFileSessionTest, RoomForWhatASweepReadsIsEnough) {
  const SessionSpec spec = SmallSpec("a red circle", 1, 105);
  TestEngine memory;
  const auto expected = ReadToEnd(memory, **memory.CreateSession(spec, "")).Digests();
  FileSetup setup;
  setup.engine.kv_stream.bytes = 352 << 10;
  ASSERT_LT(KvStream::LayerBytesMax(352 << 10), 21u * 8192);
  TestEngine engine(setup);
  const auto session = engine.CreateSession(spec, "");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(ReadToEnd(engine, **session).Digests(), expected);
}

TEST(KvFileSessionTest, ALayerThatFindsNoRoomIsRefusedAtTheDoor) {
  FileSetup setup;
  setup.engine.kv_stream.bytes = 256 << 10;
  TestEngine engine(setup);
  const auto refused = engine.CreateSession(SmallSpec("a red circle", 1, 0), "");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("kv-staging-bytes"));
  EXPECT_FALSE(engine.Estimate(SmallSpec("a red circle", 1, 0))->fits_now);
}

bool IsScratch(const Attempt& attempt) { return attempt.path.find("scratch") != std::string::npos; }

// What goes wrong with the file hits the session whose K/V is there; the one beside it in every
// sweep goes on.
class FaultBesideThePoolTest : public BesideThePoolTest {
 protected:
  void ExpectOnlyTheSecondEnds(const std::function<ReadFault(const Attempt&)>& fault,
                               absl::StatusCode code) {
    FaultFileSystem files(PosixFileSystem());
    TestEngine engine(FileSetup(files, pool_bytes_));
    Run(engine, [&] {
      if (file_received_.chunks.size() < 2) return;
      files.set_decide([fault](const Attempt& attempt) -> ReadFault {
        return IsScratch(attempt) ? fault(attempt) : ReadFault{};
      });
    });
    files.set_decide(nullptr);
    EXPECT_EQ(pool_received_.Digests(), expected_first_);
    ASSERT_TRUE(pool_received_.end.has_value());
    EXPECT_TRUE(pool_received_.end->ok()) << *pool_received_.end;
    ASSERT_TRUE(file_received_.end.has_value());
    EXPECT_EQ(file_received_.end->code(), code);
    const auto digests = file_received_.Digests();
    EXPECT_LT(digests.size(), expected_second_.size());
    EXPECT_TRUE(std::equal(digests.begin(), digests.end(), expected_second_.begin()));
  }
};

TEST_F(FaultBesideThePoolTest, PermanentBitFlipEndsOnlyTheSessionThatReadsIt) {
  ExpectOnlyTheSecondEnds(
      [](const Attempt& attempt) -> ReadFault { return {.flip_bit = attempt.offset * 8 + 100}; },
      absl::StatusCode::kDataLoss);
}

TEST_F(FaultBesideThePoolTest, ReadErrorEndsOnlyTheSessionThatReads) {
  ExpectOnlyTheSecondEnds([](const Attempt&) -> ReadFault { return {.error = EIO}; },
                          absl::StatusCode::kUnavailable);
}

TEST(KvFileSessionTest, AFullOrBrokenDiskEndsTheSessionsThatWriteThere) {
  for (const int error : {EIO, ENOSPC}) {
    FaultFileSystem files(PosixFileSystem());
    FileSetup setup(files);
    // One layer of three frames fills what can be on its way to the file.
    setup.engine.kv_stream.bytes = 512 << 10;
    TestEngine engine(setup);
    SessionSpec spec = SmallSpec("a red circle", 1, 69);
    spec.key_plan = KeyPlanSpec{.kind = KeyPlanKind::kWindow, .window_frames = 6};
    files.set_decide_write([error](const Attempt&) { return error; });
    for (int take = 0; take < 12; ++take) {
      const Received received = ReadToEnd(engine, **engine.CreateSession(spec, ""));
      ASSERT_TRUE(received.end.has_value());
      EXPECT_EQ(received.end->code(), error == EIO ? absl::StatusCode::kUnavailable
                                                   : absl::StatusCode::kResourceExhausted)
          << *received.end;
      EXPECT_THAT(std::string(received.end->message()), HasSubstr("scratch"));
    }
    files.set_decide_write(nullptr);
    TestEngine alone;
    EXPECT_EQ(ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests(),
              ReadToEnd(alone, **alone.CreateSession(spec, "")).Digests())
        << "a disk that is well again serves as before";
  }
}

TEST(KvFileSessionTest, AFileThatDoesNotAnswerHoldsNobodyUpForLong) {
  FaultFileSystem files(PosixFileSystem());
  FileSetup setup(files);
  setup.engine.kv_stream.timeout_nanos = 60'000'000;
  TestEngine engine(setup);
  auto session = *engine.CreateSession(SmallSpec("a red circle", 1, 69), "");
  Received received;
  const uint64_t reader = *session->Attach(-1, nullptr);
  while (received.chunks.size() < 2) {
    ASSERT_TRUE(engine->Step());
    PollAll(*session, reader, &received);
  }
  files.set_decide([](const Attempt& attempt) -> ReadFault {
    return {.delay_millis = IsScratch(attempt) ? 1500 : 0};
  });
  const auto start = std::chrono::steady_clock::now();
  while (!received.end.has_value() && engine->Step()) PollAll(*session, reader, &received);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  PollAll(*session, reader, &received);
  ASSERT_TRUE(received.end.has_value());
  EXPECT_EQ(received.end->code(), absl::StatusCode::kUnavailable) << *received.end;
  EXPECT_THAT(std::string(received.end->message()), HasSubstr("does not answer"));
  files.set_decide(nullptr);
}

TEST(KvFileSessionTest, ABitThatIsRightTheSecondTimeIsOnlyCounted) {
  const SessionSpec spec = SmallSpec("a red circle", 1, 69);
  TestEngine alone;
  const auto expected = ReadToEnd(alone, **alone.CreateSession(spec, "")).Digests();
  FaultFileSystem files(PosixFileSystem());
  TestEngine engine(FileSetup{files});
  files.set_decide([](const Attempt& attempt) -> ReadFault {
    if (!IsScratch(attempt) || attempt.number % 50 != 49) return {};
    return {.flip_bit = attempt.offset * 8 + 7};
  });
  EXPECT_EQ(ReadToEnd(engine, **engine.CreateSession(spec, "")).Digests(), expected);
  EXPECT_GT(engine->stats().kv_stream.checksum_failures, 0u);
  files.set_decide(nullptr);
}

}  // namespace
}  // namespace longtake
