// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Layers over several paths: twins are written, refused and verified, and a stream gives the same
// bytes from any number of them, in company with whatever a path's disk may do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <random>

#include "storage/pack/pack_directory.h"
#include "storage/pack/pack_file.h"
#include "storage/pack/pack_twin.h"
#include "storage/stream/layer_stream.h"
#include "storage/stream/stream_plan.h"
#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/pack_fixture.h"

namespace longtake {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Attempt = FaultFileSystem::Attempt;

constexpr size_t kLayers = 7;

class LayerPathsTest : public ::testing::Test {
 protected:
  LayerPathsTest() {
    WriteModel("m", kLayers);
    pack_ = PackReader::Open(files_, "m/transformer.pack").value();
  }
  void WriteModel(const std::string& directory, size_t layers) {
    ASSERT_TRUE(BeginPackDirectory(memory_, directory).ok());
    PackSpec spec = FixtureSpec(layers);
    WriteFixture(memory_, directory + "/transformer.pack", spec);
    spec = FixtureSpec(0);
    spec.component = "vae";
    WriteFixture(memory_, directory + "/vae.pack", spec);
    const PackDirectorySpec parts = {.components = {"transformer", "vae"},
                                     .recipe = "{}",
                                     .tokenizer_name = "",
                                     .tokenizer = ""};
    ASSERT_TRUE(FinishPackDirectory(memory_, directory, parts).ok());
  }
  static std::vector<std::string> Names(size_t paths) {
    std::vector<std::string> names;
    for (size_t i = 0; i < paths; ++i) names.push_back("d" + std::to_string(i));
    return names;
  }
  void Spread(size_t paths) {
    const absl::Status status = SpreadLayers(memory_, "m", Names(paths), nullptr);
    ASSERT_TRUE(status.ok()) << status;
    pack_ = PackReader::Open(files_, "m/transformer.pack", Names(paths)).value();
  }
  absl::Status OpenWith(const std::vector<std::string>& paths) {
    return PackDirectory::Open(files_, "m", paths).status();
  }
  // Of a layer's first byte in every file.
  uint64_t LayerOffset(size_t layer) const {
    return pack_->header().payload_offset + pack_->layer(layer).parts[0].offset;
  }
  std::unique_ptr<LayerStream> Stream(LayerStream::Options options = {}) {
    options.request_bytes = 8192;
    options.pread_thread_count = 2;
    return LayerStream::Open(*pack_, options).value();
  }

  MemoryFileSystem memory_;
  FaultFileSystem files_{memory_};
  std::unique_ptr<PackReader> pack_;
};

TEST_F(LayerPathsTest, ATwinHasItsLayersAndHolesForTheOthers) {
  Spread(3);
  const MemoryFileSystem::Bytes& whole = memory_.Contents("m/transformer.pack");
  for (size_t path = 0; path < 3; ++path) {
    const MemoryFileSystem::Bytes& twin =
        memory_.Contents("d" + std::to_string(path) + "/transformer.pack");
    ASSERT_EQ(twin.size(), whole.size());
    for (size_t i = 0; i < kLayers; ++i) {
      const auto first = static_cast<ptrdiff_t>(LayerOffset(i));
      const auto end = first + static_cast<ptrdiff_t>(pack_->layer(i).bytes());
      const bool same = std::equal(twin.begin() + first, twin.begin() + end, whole.begin() + first);
      const auto zeros = std::count(twin.begin() + first, twin.begin() + end, std::byte{0});
      EXPECT_EQ(same, i % 3 == path) << path << " " << i;
      EXPECT_EQ(zeros == end - first, i % 3 != path) << path << " " << i;
    }
    EXPECT_FALSE(memory_.Has("d" + std::to_string(path) + "/vae.pack")) << "it has no layers";
  }
  EXPECT_TRUE(VerifyPackDirectory(memory_, "m", nullptr, Names(3)).ok());
  EXPECT_TRUE(VerifyPackDirectory(memory_, "m", nullptr).ok());
  const auto opened = PackDirectory::Open(memory_, "m", Names(3));
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->model_digest(), PackDirectory::Open(memory_, "m")->model_digest());
}

TEST_F(LayerPathsTest, ThePackItselfIsAPath) {
  const std::vector<std::string> paths = {"d0", "m"};
  const MemoryFileSystem::Bytes before = memory_.Contents("m/transformer.pack");
  ASSERT_EQ(SpreadLayers(memory_, "m", paths, nullptr), absl::OkStatus());
  EXPECT_EQ(memory_.Contents("m/transformer.pack"), before) << "it stays whole";
  EXPECT_TRUE(VerifyPackDirectory(memory_, "m", nullptr, paths).ok());
}

TEST_F(LayerPathsTest, AnotherModelIsNotOverwritten) {
  WriteModel("d1", kLayers + 1);
  const absl::Status status = SpreadLayers(memory_, "m", Names(2), nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("d1: is a pack directory of another model"));
  EXPECT_TRUE(PackDirectory::Open(memory_, "d1").ok());
}

TEST_F(LayerPathsTest, ADiskThatIsFullIsToldBeforeAnythingIsWritten) {
  memory_.set_free_bytes(pack_->layer(0).bytes());
  const absl::Status status = SpreadLayers(memory_, "m", Names(2), nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(memory_.Has("d0/transformer.pack"));
  // A twin has holes, so it needs no more than its layers and what is around them.
  const PackHeader& header = pack_->header();
  memory_.set_free_bytes(header.file_bytes - header.payload_bytes + 4 * pack_->layer(0).bytes());
  EXPECT_EQ(SpreadLayers(memory_, "m", Names(2), nullptr), absl::OkStatus());
}

TEST_F(LayerPathsTest, ADirectoryGivenTwiceIsNotSpreadTo) {
  const std::vector<std::string> paths = {"d0", "d0"};
  const absl::Status status = SpreadLayers(memory_, "m", paths, nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("d0: is given twice"));
  EXPECT_FALSE(memory_.Has("d0/transformer.pack")) << "said before anything is copied";
}

TEST_F(LayerPathsTest, ATwinThatIsNoneIsRefusedWithBothNames) {
  Spread(2);
  const auto expect = [&](const std::vector<std::string>& paths, const std::string& file,
                          const std::string& what) {
    const absl::Status status = OpenWith(paths);
    EXPECT_FALSE(status.ok()) << what;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(file), HasSubstr(what)));
  };
  EXPECT_EQ(OpenWith(Names(2)), absl::OkStatus());
  expect({"d0", "d0"}, "d0/transformer.pack", "given twice");
  expect({"d1", "d0"}, "d1/transformer.pack", "layer 0 of m/transformer.pack is not in its twin");
  expect({"d0"}, "d0/transformer.pack", "layer 1 of m/transformer.pack is not in its twin");
  expect({"d0", "d1", "d2"}, "d0/transformer.pack", "layer 3 of m/transformer.pack is not in its");
  expect({"d0", "elsewhere"}, "elsewhere/transformer.pack", "no such file");
  // Cut short, in the middle and to nothing.
  const MemoryFileSystem::Bytes twin = memory_.Contents("d1/transformer.pack");
  for (const size_t bytes : {twin.size() - 4096, twin.size() / 2, size_t{0}}) {
    memory_.Put("d1/transformer.pack", std::span(twin).first(bytes));
    expect(Names(2), "d1/transformer.pack", "");
  }
  // One weight of one layer is another model's.
  const TensorSource source = [](const TensorDecl& tensor, const TensorSink& sink) {
    if (tensor.name != "blocks.5.norm") return FixtureSource(tensor, sink);
    return sink(FixtureBytes("another", 33 * 4));
  };
  ASSERT_TRUE(
      WritePack(memory_, "d1/transformer.pack", FixtureSpec(kLayers), {.source = source}).ok());
  expect(Names(2), "d1/transformer.pack: is no twin of m/transformer.pack", "");
}

// Everything but the checksums, or everything but the text beside the weights, is the pack's own.
TEST_F(LayerPathsTest, ATwinIsThePacksInEveryByteOfItsTable) {
  Spread(2);
  const MemoryFileSystem::Bytes twin = memory_.Contents("d1/transformer.pack");
  PackSpec spec = FixtureSpec(kLayers);
  spec.config.replace(spec.config.find(": "), 2, ":\n");
  WriteFixture(memory_, "d1/transformer.pack", spec);
  const auto other = PackReader::Open(memory_, "d1/transformer.pack");
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE(std::ranges::equal((*other)->block_crcs(), pack_->block_crcs()));
  EXPECT_EQ(OpenWith(Names(2)).code(), absl::StatusCode::kDataLoss);

  memory_.Put("d1/transformer.pack", twin);
  ASSERT_EQ(OpenWith(Names(2)), absl::OkStatus());
  std::vector<uint32_t> crcs(pack_->block_crcs().begin(), pack_->block_crcs().end());
  ++crcs[pack_->layer(5).parts[0].offset / pack_->header().crc_block_bytes];
  const auto file = memory_.OpenReadWrite("d1/transformer.pack");
  ASSERT_TRUE(file.ok());
  const PackHeader& header = pack_->header();
  ASSERT_EQ(WritePackCopies(**file,
                            {.alignment = header.alignment,
                             .crc_block_bytes = header.crc_block_bytes,
                             .table_bytes = header.table_bytes,
                             .payload_bytes = header.payload_bytes},
                            pack_->table_text(), crcs),
            absl::OkStatus());
  EXPECT_TRUE(PackReader::Open(memory_, "d1/transformer.pack").ok()) << "a pack, but no twin";
  EXPECT_EQ(OpenWith(Names(2)).code(), absl::StatusCode::kDataLoss);
}

TEST_F(LayerPathsTest, WhatIsDamagedIsNotSpread) {
  memory_.Contents("m/transformer.pack")[LayerOffset(3) + 100] ^= std::byte{1};
  const absl::Status status = SpreadLayers(memory_, "m", Names(2), nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("m/transformer.pack"));
  EXPECT_TRUE(memory_.Has("d0/transformer.pack")) << "its layers are sound";
  EXPECT_FALSE(memory_.Has("d1/transformer.pack"));
}

TEST_F(LayerPathsTest, ProgressIsOfTheShare) {
  std::vector<uint64_t> totals;
  const PackProgress progress = [&](uint64_t done, uint64_t total) {
    if (done == total) totals.push_back(total);
    EXPECT_LE(done, total);
  };
  ASSERT_EQ(SpreadLayers(memory_, "m", Names(2), progress), absl::OkStatus());
  const uint64_t layer = pack_->layer(0).bytes();
  EXPECT_EQ(totals, std::vector<uint64_t>({4 * layer, 3 * layer}));
}

TEST_F(LayerPathsTest, VerifyFindsAByteOfEveryLayerOfATwin) {
  Spread(2);
  for (size_t layer = 0; layer < kLayers; ++layer) {
    const std::string file = "d" + std::to_string(layer % 2) + "/transformer.pack";
    std::byte& byte = memory_.Contents(file)[LayerOffset(layer) + 5000];
    byte ^= std::byte{1};
    const absl::Status status = VerifyPackDirectory(memory_, "m", nullptr, Names(2));
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << layer;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(file), HasSubstr("CRC block")));
    byte ^= std::byte{1};
  }
  EXPECT_EQ(VerifyPackDirectory(memory_, "m", nullptr, Names(2)), absl::OkStatus());
}

TEST_F(LayerPathsTest, AHoleWhereALayerShouldBeNamesFileAndLayer) {
  Spread(2);
  MemoryFileSystem::Bytes& twin = memory_.Contents("d1/transformer.pack");
  std::fill_n(twin.begin() + static_cast<ptrdiff_t>(LayerOffset(5)), pack_->layer(5).bytes(),
              std::byte{0});
  ASSERT_EQ(OpenWith(Names(2)), absl::OkStatus()) << "not one of the first";
  for (const uint64_t kept_bytes_max : {uint64_t{0}, uint64_t{1} << 30}) {
    const absl::Status status = TakeSweep(*Stream({.kept_bytes_max = kept_bytes_max}), *pack_);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("d1/transformer.pack: layer 5, CRC block"));
  }
}

TEST_F(LayerPathsTest, AFileThatChangedBehindTheReaderIsRefused) {
  Spread(2);
  memory_.Contents("d1/transformer.pack").resize(4096);
  const absl::Status status = LayerStream::Open(*pack_, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("d1/transformer.pack"));
}

// Each path reads its own layers and no other byte.
TEST_F(LayerPathsTest, EveryLayerComesFromItsPath) {
  for (const size_t paths : {1, 2, 3, 7, 9}) {
    Spread(paths);
    files_.set_decide(nullptr);
    const auto stream = Stream();
    for (int sweep = 0; sweep < 3; ++sweep) {
      ASSERT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus()) << paths;
    }
    const std::vector<PathStats> stats = stream->path_stats();
    ASSERT_EQ(stats.size(), paths);
    std::vector<PathStats> again(paths, {.file = "as it was called"});
    stream->ReadPathStats(again);
    uint64_t bytes = 0;
    for (size_t i = 0; i < paths; ++i) {
      EXPECT_EQ(stats[i].file, "d" + std::to_string(i) + "/transformer.pack");
      EXPECT_EQ(again[i].file, "as it was called");
      EXPECT_EQ(again[i].bytes_read, stats[i].bytes_read);
      EXPECT_EQ(stats[i].bytes_read > 0, i < kLayers);
      bytes += stats[i].bytes_read;
    }
    EXPECT_EQ(bytes, stream->stats().bytes_read);
  }
}

// Wherever a stage's layers begin, a layer's path follows from its number in the pack.
TEST_F(LayerPathsTest, ARangeOfLayersComesFromTheirPaths) {
  for (const size_t paths : {2, 3}) {
    Spread(paths);
    for (const LayerRange& range : {LayerRange{.first = 1}, LayerRange{3, 6}, LayerRange{5, 6}}) {
      for (const uint64_t kept_bytes_max : {uint64_t{0}, pack_->layer(0).bytes()}) {
        const auto stream = Stream({.layers = range, .kept_bytes_max = kept_bytes_max});
        std::vector<uint64_t> expected(paths);
        for (int sweep = 0; sweep < 3; ++sweep) {
          for (int64_t i = range.first; i < stream->layers().end; ++i) {
            ASSERT_EQ(TakeLayer(*stream, *pack_, static_cast<size_t>(i)), absl::OkStatus());
          }
        }
        for (int64_t i = range.first; i < stream->layers().end; ++i) {
          expected[static_cast<size_t>(i) % paths] = 1;
        }
        const std::vector<PathStats> stats = stream->path_stats();
        for (size_t i = 0; i < paths; ++i) EXPECT_EQ(stats[i].bytes_read > 0, expected[i] > 0);
      }
    }
  }
}

TEST_F(LayerPathsTest, WhatIsKeptIsSpreadOverThePaths) {
  WriteModel("m", 12);
  for (const size_t paths : {2, 3, 4}) {
    Spread(paths);
    const uint64_t layer_bytes = pack_->layer(0).bytes();
    for (uint64_t kept = 0; kept <= 12; ++kept) {
      const StreamPlan plan = PlanStream(*pack_, 0, kept * layer_bytes);
      EXPECT_EQ(plan.kept_bytes, kept * layer_bytes);
      const auto [least, most] =
          std::minmax_element(plan.path_bytes.begin(), plan.path_bytes.end());
      EXPECT_LE(*most - *least, layer_bytes) << paths << " paths, " << kept << " kept";
    }
  }
}

TEST_F(LayerPathsTest, SlotsAreForAllPaths) {
  EXPECT_EQ(PlanStream(*pack_, 0, 0).slot_count, 3u);
  Spread(3);
  EXPECT_EQ(PlanStream(*pack_, 0, 0).slot_count, 3u + 2 * 2) << "two parts a layer";
  EXPECT_EQ(PlanStream(*pack_, 2, 0).slot_count, 2u) << "as asked";
  uint64_t layers_bytes = 0;
  for (size_t i = 0; i < kLayers; ++i) layers_bytes += pack_->layer(i).bytes();
  const StreamPlan many = PlanStream(*pack_, 64, 0);
  EXPECT_LE(many.memory_bytes(), layers_bytes) << "or they could all be kept";
  EXPECT_GT(many.memory_bytes() + many.slot_bytes, layers_bytes);
  for (const uint64_t kept : {uint64_t{1}, uint64_t{2}, uint64_t{6}}) {
    EXPECT_LE(PlanStream(*pack_, 64, kept * pack_->layer(0).bytes()).slot_count, many.slot_count);
  }
}

TEST_F(LayerPathsTest, PathsOnOneDiskAreKnown) {
  EXPECT_EQ(pack_->layer_disks(), std::vector<size_t>({0}));
  Spread(3);
  EXPECT_EQ(pack_->layer_disks(), std::vector<size_t>({0, 1, 2}));
  memory_.set_disk("d0", 5);
  memory_.set_disk("d2", 5);
  Spread(3);
  EXPECT_EQ(pack_->layer_disks(), std::vector<size_t>({0, 1, 0}));
  const auto stream = Stream();
  EXPECT_EQ(stream->disk_count(), 2u);
  const StreamPlan plan = PlanStream(*pack_, 0, 0);
  EXPECT_EQ(plan.disk_bytes(0), plan.path_bytes[0] + plan.path_bytes[2]);
  EXPECT_EQ(plan.disk_bytes(1), plan.path_bytes[1]);
}

TEST_F(LayerPathsTest, APathThatHangsIsNamedAndTheOthersGoOn) {
  Spread(3);
  std::atomic<bool> stuck = true;
  files_.set_decide([&stuck](const Attempt& attempt) {
    const bool hangs = stuck && attempt.path == "d1/transformer.pack";
    return ReadFault{.delay_millis = hangs ? 300 : 0};
  });
  const auto stream = Stream({.slot_count = 4, .read_timeout_nanos = 50'000'000});
  for (int sweep = 0; sweep < 3; ++sweep) {
    const absl::Status status = TakeSweep(*stream, *pack_);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("d1/transformer.pack: the disk does not answer"));
    stream->Rewind();
  }
  EXPECT_GE(stream->stats().read_timeouts, 3u);
  EXPECT_GT(stream->path_stats()[1].wait_seconds, 0.05);
  stuck = false;
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus());
}

// A fault on the way to one path is mended by that path alone.
TEST_F(LayerPathsTest, WhatDiffersOnceIsReadAgainFromItsPath) {
  Spread(3);
  for (const std::string& path : Names(3)) {
    std::atomic<bool> flipped = false;
    files_.set_decide([&](const Attempt& attempt) {
      if (!attempt.path.starts_with(path) || flipped.exchange(true)) return ReadFault{};
      return ReadFault{.flip_bit = attempt.offset * 8 + 5};
    });
    const auto stream = Stream();
    EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus()) << path;
    EXPECT_EQ(stream->stats().checksum_failures, 1u);
  }
}

// A slow path holds up nothing but its own layers: the others are read ahead meanwhile.
TEST_F(LayerPathsTest, AllPathsReadAtOnce) {
  Spread(3);
  std::array<std::atomic<int>, 3> under_way = {0, 0, 0};
  std::atomic<int> most = 0;
  files_.set_decide([&](const Attempt& attempt) {
    under_way[static_cast<size_t>(attempt.path[1] - '0')] = 1;
    most = std::max(most.load(), under_way[0] + under_way[1] + under_way[2]);
    return ReadFault{.delay_millis = 20};
  });
  const auto stream = Stream();
  ASSERT_TRUE(stream->Next().ok());
  EXPECT_EQ(most, 3);
}

// Random plans and faults over random paths: a sweep ends well with the right bytes, which
// TakeLayer compares, or with a status that names a path, and the stream always comes back.
TEST_F(LayerPathsTest, NoWrongByteFromAnyPlanUnderAStormOfFaults) {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    std::mt19937 random(seed);
    const size_t paths = 1 + random() % 4;
    files_.set_decide(nullptr);
    Spread(paths);
    const uint64_t storm = seed % 3 == 0 ? 1000000 : 64;
    std::mt19937 faults(seed + 1000);  // of the threads that read, one at a time
    files_.set_decide([&faults, storm](const Attempt& attempt) {
      switch (faults() % storm) {
        case 0:
          return ReadFault{.error = EIO};
        case 1:
          return ReadFault{.flip_bit = attempt.offset * 8 + faults() % (attempt.bytes * 8)};
        case 2:
          return ReadFault{.error = EAGAIN};
        case 3:
        case 4:
          return ReadFault{.bytes_max = 1 + faults() % attempt.bytes};
        default:
          return ReadFault{};
      }
    });
    const auto stream = Stream({.slot_count = random() % 6,
                                .kept_bytes_max = random() % 9 * pack_->layer(0).bytes(),
                                .queue_depth = random() % 4});
    for (int sweep = 0; sweep < 8; ++sweep) {
      absl::Status status;
      for (size_t i = 0; i < kLayers && status.ok(); ++i) {
        if (random() % 8 > 0) {
          status = TakeLayer(*stream, *pack_, i);
        } else if (auto lease = stream->Next(); lease.ok()) {  // passed over, or in part
          if (random() % 2 == 0) status = lease->Tensor(random() % 3).status();
        } else {
          status = lease.status();
        }
      }
      if (status.ok()) continue;
      EXPECT_LT(storm, 1000u) << status;
      EXPECT_TRUE(absl::IsUnavailable(status) || absl::IsDataLoss(status)) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("/transformer.pack"));
      stream->Rewind();
    }
    files_.set_decide(nullptr);
    stream->Rewind();
    {
      ASSERT_TRUE(stream->Next().ok());
    }
    stream->Rewind();
    EXPECT_EQ(TakeSweep(*stream, *pack_), absl::OkStatus()) << "seed " << seed;
  }
}

TEST(LayerPathsDiskTest, TwoNamesOfOneDirectoryAreFound) {
  const TempDir dir;
  ASSERT_TRUE(BeginPackDirectory(PosixFileSystem(), dir.path()).ok());
  WriteFixture(PosixFileSystem(), dir.File("transformer.pack"), FixtureSpec(5));
  const PackDirectorySpec parts = {
      .components = {"transformer"}, .recipe = "{}", .tokenizer_name = "", .tokenizer = ""};
  ASSERT_TRUE(FinishPackDirectory(PosixFileSystem(), dir.path(), parts).ok());
  ASSERT_TRUE(PosixFileSystem().MakeDir(dir.File("d0")).ok());
  std::filesystem::create_symlink("d0", dir.File("d1"));
  const std::vector<std::string> paths = {dir.File("d0"), dir.File("d1")};
  const absl::Status status = SpreadLayers(PosixFileSystem(), dir.path(), paths, nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("d0/transformer.pack"));
}

// On the real disk, where the files have holes.
TEST(LayerPathsDiskTest, UringAndPreadGiveTheSameBytes) {
  const TempDir dir;
  WriteFixture(PosixFileSystem(), dir.File("transformer.pack"), FixtureSpec(5));
  const auto whole = PackReader::Open(PosixFileSystem(), dir.File("transformer.pack"));
  ASSERT_TRUE(whole.ok());
  std::vector<std::string> paths;
  for (size_t i = 0; i < 3; ++i) {
    paths.push_back(dir.File("d" + std::to_string(i)));
    ASSERT_TRUE(PosixFileSystem().MakeDir(paths.back()).ok());
    ASSERT_EQ(WriteTwin(**whole, paths.back() + "/transformer.pack", {.path = i, .paths = 3}, {}),
              absl::OkStatus());
  }
  const auto pack = PackReader::Open(PosixFileSystem(), dir.File("transformer.pack"), paths);
  ASSERT_TRUE(pack.ok()) << pack.status();
  for (const auto io : {IoChoice::kAuto, IoChoice::kPread}) {
    for (const uint64_t kept_bytes_max : {uint64_t{0}, 3 * (*pack)->layer(0).bytes()}) {
      const auto stream = LayerStream::Open(**pack, {.kept_bytes_max = kept_bytes_max, .io = io});
      ASSERT_TRUE(stream.ok()) << stream.status();
      for (int sweep = 0; sweep < 3; ++sweep) {
        ASSERT_EQ(TakeSweep(**stream, **pack), absl::OkStatus()) << (*stream)->io_name();
      }
    }
  }
}

}  // namespace
}  // namespace longtake
