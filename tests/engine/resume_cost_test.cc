// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/resume_cost.h"

#include <gtest/gtest.h>

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

TEST(ResumeCostTest, AWarmUpDecodesNoMoreThanThereIs) {
  ResolvedSpec spec;
  spec.width = 20;
  spec.height = 10;
  const LaneCosts costs({.full = 0.5});
  EXPECT_DOUBLE_EQ(*PredictWarmUp(spec, 38, 100, costs), 38 * 4 * 200 * 0.5);
  EXPECT_DOUBLE_EQ(*PredictWarmUp(spec, 38, 3, costs), (1 + 2 * 4) * 200 * 0.5) << "from the start";
  EXPECT_DOUBLE_EQ(*PredictWarmUp(spec, 38, 0, costs), 0);
  spec.decoder = DecoderKind::kTiny;
  EXPECT_FALSE(PredictWarmUp(spec, 8, 100, costs).has_value());
}

}  // namespace
}  // namespace longtake
