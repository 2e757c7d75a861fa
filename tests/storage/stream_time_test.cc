// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The prediction against the real fetcher on a disk of a fixed rate, both in virtual time.
#include "storage/stream/stream_time.h"

#include <gtest/gtest.h>

#include <deque>

#include "storage/stream/part_fetcher.h"
#include "tests/storage/memory_files.h"
#include "tests/storage/pack_fixture.h"

namespace longtake {
namespace {

constexpr double kDiskRate = 1e6;  // bytes per second of virtual time
constexpr uint64_t kCrcBlock = 4096;

// Answers one request after the other at kDiskRate; waiting moves the clock.
class FixedRateIo final : public BlockIo {
 public:
  // What a disk is asked for by several of them it answers in the order in which it was asked.
  FixedRateIo(File& file, ManualClock& clock, int64_t& disk_nanos, double rate, size_t depth)
      : BlockIo("disk", depth), file_(file), clock_(clock), disk_nanos_(disk_nanos), rate_(rate) {}

 private:
  struct Answer {
    RawCompletion raw;
    int64_t nanos = 0;
  };

  void StartRaw(size_t slot, const BlockRequest& rest) override {
    const auto bytes = static_cast<double>(rest.memory.size());
    disk_nanos_ =
        std::max(disk_nanos_, clock_.MonotonicNanos()) + static_cast<int64_t>(bytes / rate_ * 1e9);
    answers_.push_back({{slot, file_.ReadSome(rest.offset, rest.memory)}, disk_nanos_});
  }
  std::optional<RawCompletion> NextRaw(int64_t wait_nanos) override {
    if (answers_.empty()) return std::nullopt;
    const int64_t left = answers_.front().nanos - clock_.MonotonicNanos();
    if (left > wait_nanos) return std::nullopt;
    if (left > 0) clock_.Advance(left);
    const RawCompletion raw = answers_.front().raw;
    answers_.pop_front();
    return raw;
  }

  File& file_;
  ManualClock& clock_;
  int64_t& disk_nanos_;  // when the disk will have answered what it was asked for
  const double rate_;
  std::deque<Answer> answers_;
};

// Layers of two parts, 12 and 20 CRC blocks.
PackSpec Spec(size_t layers) {
  PackSpec spec;
  spec.component = "transformer";
  spec.config = "{}";
  spec.resident = {{.name = "bias", .dtype = DType::kF32, .shape = {16}}};
  for (size_t i = 0; i < layers; ++i) {
    const std::string prefix = "blocks." + std::to_string(i) + ".";
    spec.layers.push_back({{.name = prefix + "a", .dtype = DType::kI8, .shape = {12, 4096}},
                           {.name = prefix + "b", .dtype = DType::kI8, .shape = {20, 4096}}});
  }
  spec.alignment = kCrcBlock;
  spec.crc_block_bytes = kCrcBlock;
  spec.part_bytes_max = 20 * kCrcBlock;
  return spec;
}

struct Case {
  size_t layers = 10;
  uint64_t slots = 3;
  uint64_t kept_layers = 0;
  double layer_seconds = 0;
  double between_seconds = 0;
  std::vector<double> path_rates = {};  // empty: kDiskRate
  size_t depth = 4096;                  // requests that a path takes at once
};

double MeasureSweep(const PackReader& pack, MemoryFileSystem& files, const StreamPlan& plan,
                    const Case& c) {
  ManualClock clock;
  auto file = files.OpenRead(pack.path(), ReadMode::kDirect);
  PartFetcher fetcher(pack, plan,
                      {.request_bytes = kCrcBlock,
                       .verify_every_sweep = true,
                       .read_timeout_nanos = int64_t{1} << 60,
                       .trace = nullptr,
                       .trace_name = ""},
                      clock);
  EXPECT_TRUE(fetcher.Allocate().ok());
  std::vector<std::unique_ptr<BlockIo>> readers;
  std::vector<int64_t> disk_nanos(plan.disk_count());
  for (size_t path = 0; path < plan.path_disk.size(); ++path) {
    readers.push_back(std::make_unique<FixedRateIo>(
        **file, clock, disk_nanos[plan.path_disk[path]],
        c.path_rates.empty() ? kDiskRate : c.path_rates[path], c.depth));
  }
  fetcher.Start(std::move(readers));
  double start = 0;
  const auto advance = [&](double seconds) { clock.Advance(static_cast<int64_t>(seconds * 1e9)); };
  for (int sweep = 0; sweep < 5; ++sweep) {
    start = NanosToSeconds(clock.MonotonicNanos());
    for (size_t i = 0; i < plan.units.size(); ++i) {
      EXPECT_TRUE(fetcher.AwaitBegin(i).ok());
      EXPECT_TRUE(fetcher.Await(i).ok());
      const double share = static_cast<double>(plan.units[i].bytes) / (32.0 * kCrcBlock);
      advance(c.layer_seconds * share);
      fetcher.Release(i);
      fetcher.Pump();
    }
    advance(c.between_seconds);
  }
  return NanosToSeconds(clock.MonotonicNanos()) - start;
}

TEST(StreamTimeTest, PredictsWhatTheFetcherTakesOnADiskOfFixedRate) {
  const double read_seconds = 32.0 * kCrcBlock / kDiskRate;  // of a layer
  int stalled = 0;
  for (const double ratio : {0.0, 0.2, 0.5, 0.9, 1.0, 1.1, 1.5, 5.0}) {
    for (const uint64_t slots : {1, 2, 3, 4, 8}) {
      for (const uint64_t kept : {0, 3, 5, 9}) {
        for (const double between : {0.0, 0.5}) {
          const Case c = {.slots = slots,
                          .kept_layers = kept,
                          .layer_seconds = ratio * read_seconds,
                          .between_seconds = between * read_seconds};
          MemoryFileSystem files;
          WriteFixture(files, "p", Spec(c.layers));
          const auto pack = PackReader::Open(files, "p");
          ASSERT_TRUE(pack.ok()) << pack.status();
          const StreamPlan plan = PlanStream(**pack, slots, kept * 32 * kCrcBlock);
          const double measured = MeasureSweep(**pack, files, plan, c);
          const SweepTime predicted =
              PredictSweep(plan,
                           {.disk_bytes_per_second = {kDiskRate},
                            .verify_bytes_per_second = 1e18,
                            .request_bytes = kCrcBlock},
                           std::vector<double>(c.layers, c.layer_seconds), c.between_seconds);
          EXPECT_NEAR(predicted.seconds, measured, 0.03 * measured)
              << "compute " << ratio << " of reading, " << slots << " slots, " << kept
              << " kept, between " << between;
          const double bound = std::max(predicted.read_seconds, predicted.work_seconds);
          EXPECT_GE(predicted.seconds, bound * 0.999);
          stalled += predicted.seconds > bound * 1.05 ? 1 : 0;
        }
      }
    }
  }
  EXPECT_GT(stalled, 10) << "no case in which slots matter";
}

// With as many slots as are the default, K paths that are bound by reading take a K-th of the time.
TEST(StreamTimeTest, PredictsPathsThatReadAtOnce) {
  const double read_seconds = 32.0 * kCrcBlock / kDiskRate;  // of a layer
  MemoryFileSystem files;
  const size_t layers = 12;
  WriteFixture(files, "m/p", Spec(layers));
  for (const size_t paths : {2, 3}) {
    std::vector<std::string> names;
    for (size_t i = 0; i < paths; ++i) {
      names.push_back("d" + std::to_string(i));
      files.Put(names.back() + "/p", files.Contents("m/p"));
    }
    const auto pack = PackReader::Open(files, "m/p", names);
    ASSERT_TRUE(pack.ok()) << pack.status();
    for (const uint64_t slots : {0, 1, 2, 4, 5, 8, 12}) {
      for (const double ratio : {0.0, 0.1, 0.3, 1.0}) {
        const Case c = {.layers = layers, .slots = slots, .layer_seconds = ratio * read_seconds};
        const StreamPlan plan = PlanStream(**pack, slots, 0);
        const double measured = MeasureSweep(**pack, files, plan, c);
        const SweepTime predicted =
            PredictSweep(plan,
                         {.disk_bytes_per_second = std::vector<double>(paths, kDiskRate),
                          .verify_bytes_per_second = 1e18,
                          .request_bytes = kCrcBlock},
                         std::vector<double>(layers, c.layer_seconds), 0);
        EXPECT_NEAR(predicted.seconds, measured, 0.05 * measured)
            << paths << " paths, " << slots << " slots, computing " << ratio << " of reading";
        const auto k = static_cast<double>(paths);
        EXPECT_NEAR(predicted.read_seconds, layers * read_seconds / k, 1e-6);
        if (slots == 0 && ratio * k < 0.95) {
          EXPECT_LE(measured, 1.03 * predicted.read_seconds);
        }
      }
    }
  }
}

// A wait is for one path, and what others answer meanwhile is taken in with its next answer. That
// holds up nothing, however few requests a path takes at once.
TEST(StreamTimeTest, AWaitForOnePathKeepsNoOtherWaiting) {
  MemoryFileSystem files;
  const size_t layers = 12;
  WriteFixture(files, "m/p", Spec(layers));
  for (const char* path : {"d0/p", "d1/p"}) files.Put(path, files.Contents("m/p"));
  const auto pack = PackReader::Open(files, "m/p", std::vector<std::string>{"d0", "d1"});
  ASSERT_TRUE(pack.ok()) << pack.status();
  for (const std::vector<double>& rates :
       {std::vector<double>{1e6, 1e6}, {1e6, 2e6}, {2e6, 1e6}, {1e6, 10e6}}) {
    for (const size_t depth : {1, 2, 4, 4096}) {
      const Case c = {.layers = layers, .path_rates = rates, .depth = depth};
      const StreamPlan plan = PlanStream(**pack, 0, 0);
      const double read = std::max(static_cast<double>(plan.path_bytes[0]) / rates[0],
                                   static_cast<double>(plan.path_bytes[1]) / rates[1]);
      const double measured = MeasureSweep(**pack, files, plan, c);
      EXPECT_LE(measured, 1.001 * read)
          << rates[0] << " " << rates[1] << ", " << depth << " at once";
    }
  }
}

// Four directories on two disks, of which the slower one has three: three quarters to read.
TEST(StreamTimeTest, PathsOnOneDiskShareItsRate) {
  const double read_seconds = 32.0 * kCrcBlock / kDiskRate;  // of a layer
  MemoryFileSystem files;
  const size_t layers = 12;
  WriteFixture(files, "m/p", Spec(layers));
  std::vector<std::string> names;
  for (size_t i = 0; i < 4; ++i) {
    names.push_back("d" + std::to_string(i));
    files.Put(names.back() + "/p", files.Contents("m/p"));
    files.set_disk(names.back(), i == 1 ? 7 : 8);
  }
  const auto pack = PackReader::Open(files, "m/p", names);
  ASSERT_TRUE(pack.ok()) << pack.status();
  EXPECT_EQ((*pack)->layer_disks(), std::vector<size_t>({0, 1, 0, 0}));
  for (const uint64_t slots : {0, 1, 2, 3, 5}) {
    for (const double ratio : {0.0, 0.3, 1.0}) {
      const Case c = {.layers = layers,
                      .slots = slots,
                      .layer_seconds = ratio * read_seconds,
                      .path_rates = {kDiskRate, 4 * kDiskRate, kDiskRate, kDiskRate}};
      const StreamPlan plan = PlanStream(**pack, slots, 0);
      EXPECT_EQ(plan.disk_bytes(0), 3 * plan.disk_bytes(1));
      const double measured = MeasureSweep(**pack, files, plan, c);
      const SweepTime predicted = PredictSweep(plan,
                                               {.disk_bytes_per_second = {kDiskRate, 4 * kDiskRate},
                                                .verify_bytes_per_second = 1e18,
                                                .request_bytes = kCrcBlock},
                                               std::vector<double>(layers, c.layer_seconds), 0);
      EXPECT_NEAR(predicted.seconds, measured, 0.05 * measured)
          << slots << " slots, computing " << ratio << " of reading";
      EXPECT_NEAR(predicted.read_seconds, layers * read_seconds * 3 / 4, 1e-6);
      EXPECT_GE(measured, 0.999 * predicted.read_seconds);
    }
  }
}

// By hand: each part is verified as it arrives, its last request after that; what is computed or
// verified keeps the disk waiting only when there is one slot.
TEST(StreamTimeTest, ChecksumsTakeTheirTime) {
  MemoryFileSystem files;
  WriteFixture(files, "p", Spec(4));
  const auto pack = PackReader::Open(files, "p");
  ASSERT_TRUE(pack.ok()) << pack.status();
  const std::vector<double> nothing(4, 0.0);
  const auto seconds = [&](uint64_t slots, double verify_rate) {
    return PredictSweep(PlanStream(**pack, slots, 0),
                        {.disk_bytes_per_second = {1e6},
                         .verify_bytes_per_second = verify_rate,
                         .request_bytes = kCrcBlock},
                        nothing, 0)
        .seconds;
  };
  const StreamPlan plan = PlanStream(**pack, 1, 0);
  const auto bytes = static_cast<double>(plan.bytes_per_sweep);
  const auto parts = static_cast<double>(plan.units.size());
  EXPECT_NEAR(seconds(3, 1e18), bytes / 1e6, 1e-9 * bytes);
  EXPECT_NEAR(seconds(3, 0.5e6), bytes / 0.5e6, 1e-9 * bytes) << "slower than the disk";
  EXPECT_NEAR(seconds(1, 4e6), bytes / 1e6 + parts * kCrcBlock / 4e6, 1e-9 * bytes) << "one slot";
}

TEST(StreamTimeTest, WithEveryLayerKeptNothingIsReadButWhatElseTheDiskBrings) {
  MemoryFileSystem files;
  WriteFixture(files, "p", Spec(4));
  const auto pack = PackReader::Open(files, "p");
  ASSERT_TRUE(pack.ok()) << pack.status();
  const StreamPlan plan = PlanStream(**pack, 3, uint64_t{1} << 40);
  StreamRates rates = {.disk_bytes_per_second = {1e6}, .verify_bytes_per_second = 1e9};
  const std::vector<double> layers(4, 0.25);
  EXPECT_DOUBLE_EQ(PredictSweep(plan, rates, layers, 0).seconds, 1.0);
  EXPECT_DOUBLE_EQ(PredictSweep(plan, rates, layers, 0).read_seconds, 0.0);
  rates.extra_layer_bytes = 1'000'000;
  EXPECT_DOUBLE_EQ(PredictSweep(plan, rates, layers, 0).seconds, 4.0);
}

}  // namespace
}  // namespace longtake
