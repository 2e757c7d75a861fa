// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Calibration and plan of the embedded model: the real pack, a real measurement, invented rates.
#include "engine/plan/residency_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/plan/measure.h"
#include "engine/plan/plan_model.h"
#include "storage/pack/pack_twin.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

VideoModelOptions Options() {
  VideoModelOptions options;
  options.tokens_max = 1024;
  return options;
}

Calibration Invented(double disk_bytes_per_second) {
  Calibration out;
  out.request_bytes = 1 << 20;
  out.disk_bytes_per_second = {disk_bytes_per_second};
  out.verify_bytes_per_second = 1e10;
  out.layers = {{1, 1e-4, 1e-4}, {1024, 1e-1, 1e-4}};
  return out;
}

absl::StatusOr<ResidencyPlan> Plan(const MemoryWishes& wishes, const Calibration& calibration,
                                   size_t slots = 0) {
  return PlanResidency(PosixFileSystem(), EmbeddedPack(), Options(), slots, wishes, calibration);
}

// Whether the times of layers are in proportion. They are not where something else took the cores
// while one of them was measured.
bool IsInProportion(const Calibration& measured) {
  if (measured.layers.size() != 6) return false;  // 1, 4, 16, 64, 256 and 1024 tokens
  const LayerCost& largest = measured.layers.back();
  // A thousand rows of context make a layer of a thousand tokens longer, and by less than another
  // thousand tokens do.
  const double context = 1024 * largest.context_row_seconds;
  return largest.tokens == 1024 &&
         largest.layer_seconds > 2 * measured.layers.front().layer_seconds &&
         context > 0.02 * largest.layer_seconds && context < largest.layer_seconds;
}

// With twins of the embedded pack in two directories on one disk.
VideoModelOptions OptionsOfTwoPaths(const ScratchDirectory& scratch) {
  VideoModelOptions options = Options();
  options.layer_paths = {scratch.directory() + "/a", scratch.directory() + "/b"};
  EXPECT_EQ(SpreadLayers(PosixFileSystem(), EmbeddedPack(), options.layer_paths, nullptr),
            absl::OkStatus());
  return options;
}

TEST(ResidencyPlanTest, AMeasuredCalibrationHoldsWhatItShould) {
  const ScratchDirectory scratch;
  const VideoModelOptions options = OptionsOfTwoPaths(scratch);
  WorkerPool workers(2);
  SystemClock clock;
  absl::StatusOr<Calibration> measured;
  for (int tries = 0; tries < 5 && !(measured.ok() && IsInProportion(*measured)); ++tries) {
    measured = Calibrate(PosixFileSystem(), EmbeddedPack(), options, workers, clock);
    ASSERT_TRUE(measured.ok()) << measured.status();
  }
  EXPECT_TRUE(IsInProportion(*measured)) << EncodeCalibration(*measured);
  const auto subject = CalibrationSubject(PosixFileSystem(), EmbeddedPack(), options, workers);
  ASSERT_TRUE(subject.ok());
  EXPECT_TRUE(measured->IsFor(*subject));
  EXPECT_EQ(measured->disk_bytes_per_second.size(), 1u) << "one disk, whatever paths it has";
  EXPECT_GT(measured->disk_bytes_per_second.at(0), 1e6);
  EXPECT_GT(measured->verify_bytes_per_second, 1e8);
  EXPECT_GT(measured->decode.full.pixel, 1e-9);
  EXPECT_LT(measured->decode.full.pixel, 1e-3);
  EXPECT_EQ(measured->decode.tiny.pixel, 0) << "the embedded model has none";
  const auto plan =
      PlanResidency(PosixFileSystem(), EmbeddedPack(), options, 0, {.kept = 0}, *measured);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_GE(DescribeResidency(*plan, *measured).size(), 3 + measured->layers.size());
}

TEST(ResidencyPlanTest, WithRoomForEverythingNothingIsRead) {
  const auto plan = Plan({}, Invented(1e9));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->layers.bytes_per_sweep, 0u);
  EXPECT_EQ(plan->knee_tokens, 0);
}

TEST(ResidencyPlanTest, AFasterDiskHasAnEarlierKnee) {
  const auto slow = Plan({.kept = 0}, Invented(1e8));
  const auto fast = Plan({.kept = 0}, Invented(4e8));
  ASSERT_TRUE(slow.ok() && fast.ok());
  EXPECT_GT(fast->knee_tokens, 1);
  EXPECT_GT(slow->knee_tokens, 3 * fast->knee_tokens);
  const SweepTime& knee = slow->at_knee.time;
  EXPECT_LE(knee.work_seconds, knee.read_seconds);
  EXPECT_GT(knee.work_seconds, 0.98 * knee.read_seconds);
}

// Two directories on one disk, which they really are.
TEST(ResidencyPlanTest, PathsOnOneDiskAreNotPromisedItsRateTwice) {
  const ScratchDirectory scratch;
  const VideoModelOptions options = OptionsOfTwoPaths(scratch);
  WorkerPool workers(1);
  const auto subject = CalibrationSubject(PosixFileSystem(), EmbeddedPack(), options, workers);
  ASSERT_TRUE(subject.ok()) << subject.status();
  EXPECT_EQ(subject->layer_disks, std::vector<size_t>({0, 0}));

  Calibration calibration = Invented(1e8);
  const auto of_pack = Plan({.kept = 0}, calibration);
  calibration.layer_paths = options.layer_paths;
  calibration.layer_disks = subject->layer_disks;
  const auto plan =
      PlanResidency(PosixFileSystem(), EmbeddedPack(), options, 0, {.kept = 0}, calibration);
  ASSERT_TRUE(of_pack.ok() && plan.ok()) << plan.status();
  EXPECT_DOUBLE_EQ(plan->at_knee.time.read_seconds, of_pack->at_knee.time.read_seconds);
  EXPECT_NEAR(plan->at_knee.time.seconds, of_pack->at_knee.time.seconds,
              0.02 * of_pack->at_knee.time.seconds);
  const std::vector<std::string> lines = DescribeResidency(*plan, calibration);
  EXPECT_THAT(lines.at(1), HasSubstr("/a and " + options.layer_paths[1] +
                                     " are on one disk, which gives 0.10 GB/s"));
  EXPECT_THAT(lines.at(2), HasSubstr("the disk gives 0.10 GB/s"));
}

// Between two sweeps there is much to compute, so it pays to have more layers ready.
TEST(ResidencyPlanTest, ChosenSlotsAreTheFewestThatAreAsFast) {
  Calibration calibration = Invented(1e8);
  calibration.layers = {{1, 0.010, 0.060}, {1024, 0.011, 0.060}};
  const auto chosen = Plan({.kept = 0}, calibration);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_GT(chosen->slot_count, kSlotsMin);
  const int64_t tokens = std::max<int64_t>(chosen->knee_tokens, 1);
  double least = 1e9;
  std::vector<double> seconds;
  for (size_t slots = kSlotsMin; slots <= 8; ++slots) {
    const auto other = Plan({.kept = 0}, calibration, slots);
    ASSERT_TRUE(other.ok());
    EXPECT_EQ(other->slot_count, slots);
    seconds.push_back(PredictLoad(*other, calibration, SweepLoad::Forward(tokens)).seconds);
    least = std::min(least, seconds.back());
  }
  for (size_t slots = kSlotsMin; slots <= chosen->slot_count; ++slots) {
    EXPECT_EQ(seconds[slots - kSlotsMin] <= 1.01 * least, slots == chosen->slot_count) << slots;
  }
}

// Attention to context is work: it makes a sweep longer that computing bounds, and hides beneath
// reading in one that the disk bounds.
TEST(ResidencyPlanTest, ContextIsComputedWithEachLayer) {
  for (const double disk : {1e12, 1e6}) {
    Calibration calibration = Invented(disk);
    for (LayerCost& cost : calibration.layers) cost.context_row_seconds = 1e-6;
    const auto plan = Plan({.kept = 0}, calibration);
    ASSERT_TRUE(plan.ok());
    const double layers = static_cast<double>(plan->layers.first_unit.size());
    const double without = PredictLoad(*plan, calibration, SweepLoad::Forward(18)).seconds;
    const double with = PredictLoad(*plan, calibration, SweepLoad::Forward(18, 1000)).seconds;
    EXPECT_NEAR(with - without, disk > 1e9 ? layers * 1e-3 : 0.0, 0.1 * layers * 1e-3) << disk;
  }
}

TEST(ResidencyPlanTest, KvFromTheFileMakesSweepsLonger) {
  const Calibration calibration = Invented(1e8);
  const auto plan = Plan({.kept = 0}, calibration);
  ASSERT_TRUE(plan.ok());
  const double layers = static_cast<double>(plan->layers.first_unit.size());
  const double without = PredictLoad(*plan, calibration, SweepLoad::Forward(18)).seconds;
  const double with = PredictLoad(*plan, calibration,
                                  {.tokens = 18, .pairs = 18 * 18, .kv_layer_bytes = 10'000'000})
                          .seconds;
  EXPECT_NEAR(with - without, layers * 0.1, 0.02 * layers * 0.1);
}

// A number that is asked for is each stack's; what is left to the plan is each stack's own: the
// calibration measured the transformer and says nothing of the text encoder.
TEST(ResidencyPlanTest, SlotsAreEachStacksOwn) {
  const ScratchDirectory scratch;
  WorkerPool workers(2);
  SystemClock clock;
  VideoModelOptions options = Options();
  Calibration calibration =
      *CalibrationSubject(PosixFileSystem(), EmbeddedPack(), options, workers);
  const Calibration invented = Invented(1e8);
  calibration.request_bytes = invented.request_bytes;
  calibration.disk_bytes_per_second = invented.disk_bytes_per_second;
  calibration.verify_bytes_per_second = invented.verify_bytes_per_second;
  calibration.layers = {{1, 1.0, 0.001}, {1024, 1.1, 0.001}};  // so that the fewest slots do
  calibration.decode.full.pixel = 1e-6;
  const std::string path = scratch.directory() + "/calibration.json";
  const std::string text = EncodeCalibration(calibration);
  ASSERT_TRUE(WriteFileAtomically(PosixFileSystem(), path, std::as_bytes(std::span(text))).ok());
  for (const size_t slots : {size_t{0}, size_t{4}, size_t{64}}) {
    options.slot_count = slots;
    options.text_slot_count = slots;
    const auto plan = PlanModel(PosixFileSystem(),
                                {.pack = EmbeddedPack(),
                                 .options = options,
                                 .slot_count = slots,
                                 .wishes = {.kept = 0},
                                 .calibration = path},
                                workers, clock);
    ASSERT_TRUE(plan.ok()) << plan.status();
    const auto model = VideoModel::Open(PosixFileSystem(), EmbeddedPack(), plan->options, workers);
    ASSERT_TRUE(model.ok()) << model.status();
    const PackDirectory pack = *PackDirectory::Open(PosixFileSystem(), EmbeddedPack());
    const uint64_t text_bytes =
        PlanStream(**pack.Component("text_encoder"), slots, 0).memory_bytes();
    EXPECT_EQ((*model)->text_layers().memory_bytes(), text_bytes);
    EXPECT_EQ((*model)->stage().layers().memory_bytes() + text_bytes, plan->memory.layers());
    EXPECT_EQ(plan->options.slot_count, slots == 0 ? kSlotsMin : slots);
    EXPECT_EQ(plan->options.text_slot_count, slots) << "its own default, or what was asked for";
  }
}

}  // namespace
}  // namespace longtake
