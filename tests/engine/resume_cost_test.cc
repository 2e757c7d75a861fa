// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/resume_cost.h"

#include <gtest/gtest.h>

#include "engine/kv/kv_image.h"

namespace longtake {
namespace {

constexpr int64_t kRows = 10;  // of a frame
constexpr int64_t kPlenty = 1000;

RolloutSpec Spec() {
  RolloutSpec spec;
  spec.levels.resize(4);
  spec.key_plan = {.kind = KeyPlanKind::kWindow, .window_frames = 21};
  spec.kv_layout = {.layers = 2, .rows = kRows, .width = 8};
  return spec;
}

// A second to read and a hundredth of one for each row.
SweepTime Time(const SweepLoad& load) {
  return {.seconds = 1 + 0.01 * static_cast<double>(load.tokens),
          .read_seconds = 1,
          .work_seconds = 0.01 * static_cast<double>(load.tokens)};
}

double Rows(const SweepLoad& load) { return static_cast<double>(load.tokens); }

TEST(ResumeCostTest, AReplayTakesItsSweepsOneAfterTheOther) {
  const SweepCostModel costs(Time, Rows);
  const auto one_by_one = PredictReplay(Spec(), {.first = 10, .end = 15}, kPlenty, false, costs);
  EXPECT_DOUBLE_EQ(one_by_one->seconds, 5 * 1.3);
  EXPECT_DOUBLE_EQ(one_by_one->work_seconds, 5 * 0.3);
  const ReplaySpan together = {.first = 10, .end = 15, .spare_frames = 12};
  EXPECT_DOUBLE_EQ(PredictReplay(Spec(), together, kPlenty, false, costs)->seconds, 1 + 5 * 0.3);
  EXPECT_EQ(PredictReplay(Spec(), {.first = 10, .end = 10}, kPlenty, false, costs)->seconds, 0);
  const SweepCostModel unknown({}, Rows);
  EXPECT_FALSE(PredictReplay(Spec(), together, kPlenty, false, unknown).has_value());
}

// A replay takes 1.3 s a chunk, which the session makes in 5 s. Its 21 frames have 640 bytes each.
TEST(ResumeCostTest, AnHoursBytesMayBeTooFewForAShortWayBack) {
  const SweepCostModel costs(Time, Rows);
  const auto longest = [&](const RolloutSpec& spec, double seconds_max, uint64_t bytes) {
    return *PredictLongestReplay(spec, 5,
                                 {.resume_seconds_max = seconds_max, .bytes_per_hour = bytes},
                                 kPlenty, false, costs);
  };
  const uint64_t frame = 640;
  const uint64_t all = 21 * frame;
  EXPECT_EQ(KvImageBytes(Spec().kv_layout), frame);
  // What 720 chunks an hour add is written once.
  EXPECT_DOUBLE_EQ(longest(Spec(), 130, 720 * 3 * frame), 130);
  // 100 chunks until one is due; with so many bytes one of all of it comes every 100 chunks.
  EXPECT_DOUBLE_EQ(longest(Spec(), 130, all * 72 / 10), 130);
  EXPECT_NEAR(longest(Spec(), 130, all * 36 / 10), 260, 0.5);
  EXPECT_DOUBLE_EQ(longest(Spec(), 130, all - 1), 720 * 1.3) << "none at all: an hour of it";
  RolloutSpec spec = Spec();
  spec.chunk_count = 31;
  EXPECT_DOUBLE_EQ(longest(spec, 130, 0), 30 * 1.3) << "the whole take";
  EXPECT_DOUBLE_EQ(longest(spec, 130, all), 30 * 1.3);
  const SweepCostModel unknown({}, Rows);
  EXPECT_FALSE(PredictLongestReplay(Spec(), 5, {}, kPlenty, false, unknown).has_value());
}

TEST(ResumeCostTest, AWarmUpDecodesNoMoreThanThereIs) {
  ResolvedSpec spec;
  spec.width = 20;
  spec.height = 10;
  const LaneCosts costs({.full = {.pixel = 0.5, .latent = 0.25}, .tiny = {}});
  EXPECT_DOUBLE_EQ(*PredictWarmUp(spec, 38, 100, costs), 38 * (4 * 200 * 0.5 + 0.25));
  EXPECT_DOUBLE_EQ(*PredictWarmUp(spec, 38, 3, costs), (1 + 2 * 4) * 200 * 0.5 + 3 * 0.25)
      << "from the start";
  EXPECT_DOUBLE_EQ(*PredictWarmUp(spec, 38, 0, costs), 0);
  spec.decoder = DecoderKind::kTiny;
  EXPECT_FALSE(PredictWarmUp(spec, 8, 100, costs).has_value());
}

}  // namespace
}  // namespace longtake
