// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/sweep_cost_model.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace longtake {
namespace {

// A machine that reads a sweep in read seconds and computes it in fixed + tokens * per_token.
struct Machine {
  double read = 0;
  double fixed = 0;
  double per_token = 0;

  SweepTime Time(const SweepLoad& load) const {
    const double work = fixed + per_token * static_cast<double>(load.tokens);
    return {.seconds = std::max(read, work), .read_seconds = read, .work_seconds = work};
  }
  SweepCost Sweep(int64_t tokens) const {
    const SweepTime time = Time({.tokens = tokens});
    return {{.tokens = tokens}, time.seconds, time.seconds - time.work_seconds};
  }
};

double FlopsOf(const SweepLoad& load) {
  return 10 * static_cast<double>(load.tokens) + static_cast<double>(load.pairs);
}

// Past its first sweep, which teaches nothing.
struct Warm : SweepCostModel {
  explicit Warm(Calibrated calibrated = {}) : SweepCostModel(std::move(calibrated), FlopsOf) {
    Add({{.tokens = 1000}, 1000.0, 999.0});
  }
  explicit Warm(const Machine& machine)
      : Warm([machine](const SweepLoad& load) { return machine.Time(load); }) {}

  double Seconds(int64_t tokens) const {
    const auto time = Predict({.tokens = tokens});
    return time.has_value() ? time->seconds : -1.0;
  }
  void AddAll(const Machine& machine, std::initializer_list<int64_t> sizes) {
    for (const int64_t tokens : sizes) Add(machine.Sweep(tokens));
  }
};

TEST(SweepCostModelTest, WithoutACalibrationSweepsHaveToBeSeen) {
  Warm costs;
  EXPECT_EQ(costs.Seconds(18), -1.0);
  costs.Add({{.tokens = 0}, 1.0, 0.8});
  costs.Add({{.tokens = 100}, 0.0, 0.0});
  EXPECT_EQ(costs.Seconds(18), -1.0);
  costs.Add({{.tokens = 18}, 2.0, 0.0});
  EXPECT_DOUBLE_EQ(costs.Seconds(18), 2.0);
  EXPECT_DOUBLE_EQ(costs.Seconds(36), 4.0) << "in proportion, while nothing else is known";
}

TEST(SweepCostModelTest, ASizeBetweenAndBeyondWhatWasSeenFollowsFromIt) {
  struct Case {
    Machine machine;
    int64_t tokens;
  };
  const Case cases[] = {
      {{.read = 10, .fixed = 0.1, .per_token = 0.05}, 72},   // reading binds all
      {{.read = 10, .fixed = 0.1, .per_token = 0.05}, 400},  // and no longer this one
      {{.read = 0, .fixed = 1, .per_token = 0.1}, 60},       // what all pay
      {{.read = 0, .fixed = 1, .per_token = 0.1}, 4},        // smaller
      {{.read = 0, .fixed = 0, .per_token = 0.1}, 1000},     // larger
  };
  for (const Case& each : cases) {
    Warm costs;
    costs.AddAll(each.machine, {18, 144});
    EXPECT_NEAR(costs.Seconds(each.tokens), each.machine.Sweep(each.tokens).seconds, 1e-9)
        << each.tokens << " tokens, read in " << each.machine.read;
  }
}

TEST(SweepCostModelTest, RowsThatAttendToMoreTakeLonger) {
  Warm costs;
  costs.Add({SweepLoad::Forward(10), 2.0, 0.0});  // 200 units of arithmetic
  EXPECT_DOUBLE_EQ(costs.Predict(SweepLoad::Forward(10, 20))->seconds, 4.0);
}

TEST(SweepCostModelTest, ACalibrationSpeaksBeforeTheFirstSweep) {
  const Machine machine = {.read = 10, .fixed = 0.1, .per_token = 0.05};
  const SweepCostModel costs([&](const SweepLoad& load) { return machine.Time(load); }, FlopsOf);
  EXPECT_DOUBLE_EQ(costs.Predict({.tokens = 18})->seconds, 10.0);
  EXPECT_DOUBLE_EQ(costs.Predict({.tokens = 18})->work_seconds, 1.0);
  EXPECT_FALSE(costs.Knee().has_value());
}

TEST(SweepCostModelTest, WhatWasMeasuredCorrectsTheCalibrationBySize) {
  const Machine calibrated = {.read = 0, .fixed = 1, .per_token = 0.1};
  Warm costs(calibrated);
  EXPECT_DOUBLE_EQ(costs.Seconds(1000), 101.0);
  const Machine slower = {.read = 0, .fixed = 1.5, .per_token = 0.15};
  costs.AddAll(slower, {18});
  EXPECT_DOUBLE_EQ(costs.Seconds(18), slower.Sweep(18).seconds);
  EXPECT_DOUBLE_EQ(costs.Seconds(1000), slower.Sweep(1000).seconds) << "no other size was seen";
  costs.AddAll(calibrated, {1000});
  EXPECT_DOUBLE_EQ(costs.Seconds(1100), calibrated.Sweep(1100).seconds) << "the nearest size";
  EXPECT_DOUBLE_EQ(costs.Seconds(20), slower.Sweep(20).seconds);
}

TEST(SweepCostModelTest, ACorrectionIsBounded) {
  const Machine machine = {.read = 10, .fixed = 0, .per_token = 0.001};
  Warm costs(machine);
  costs.Add({{.tokens = 18}, 1000.0, 0.0});
  EXPECT_DOUBLE_EQ(costs.Seconds(18), 40.0);
  Warm quick(machine);
  quick.Add({{.tokens = 18}, 0.001, 0.0});
  EXPECT_DOUBLE_EQ(quick.Seconds(18), 2.5);
}

TEST(SweepCostModelTest, TheFirstSweepTeachesNothing) {
  const Machine machine = {.read = 10, .fixed = 0, .per_token = 0.001};
  SweepCostModel costs([&](const SweepLoad& load) { return machine.Time(load); }, FlopsOf);
  costs.Add({{.tokens = 18}, 20.0, 0.0});
  EXPECT_DOUBLE_EQ(costs.Predict({.tokens = 18})->seconds, 10.0);
}

TEST(SweepCostModelTest, NoKneeIsKnownBeforeSweepsOfTwoSizes) {
  Warm costs;
  EXPECT_FALSE(costs.Knee().has_value());
  for (int i = 0; i < 2; ++i) costs.Add({{.tokens = 18}, 1.0, 0.8});
  EXPECT_FALSE(costs.Knee().has_value());
}

TEST(SweepCostModelTest, FindsTheKneeOfADiskBoundMachineFromSweepsBelowIt) {
  const Machine machine = {.read = 10, .fixed = 0.1, .per_token = 0.05};
  Warm costs;
  costs.AddAll(machine, {18, 36, 72});
  ASSERT_TRUE(costs.Knee().has_value());
  EXPECT_NEAR(static_cast<double>(*costs.Knee()), 0.95 * 10 / 0.05, 2);
}

TEST(SweepCostModelTest, WithACalibrationOneSizeIsEnough) {
  const Machine machine = {.read = 10, .fixed = 0.1, .per_token = 0.05};
  Warm costs(machine);
  EXPECT_FALSE(costs.Knee().has_value());
  costs.AddAll({.read = 10, .fixed = 0.2, .per_token = 0.1}, {18});
  EXPECT_NEAR(static_cast<double>(costs.Knee().value_or(0)), 0.95 * 10 / 0.1, 2);
}

TEST(SweepCostModelTest, FixedComputingIsSharedToo) {
  Warm costs;
  costs.AddAll({.read = 0, .fixed = 1, .per_token = 0.1}, {10, 1000});
  EXPECT_NEAR(static_cast<double>(costs.Knee().value_or(0)), 190, 2);
}

TEST(SweepCostModelTest, WhereNothingIsSharedTheKneeIsOneRow) {
  Warm costs;
  costs.AddAll({.read = 0, .fixed = 0, .per_token = 0.1}, {180, 12288});
  EXPECT_EQ(costs.Knee(), 1);
}

// A large session attends to so many rows that each of its own costs several times as much.
TEST(SweepCostModelTest, ALargeSessionDoesNotHideWhatSmallOnesShare) {
  Warm costs;
  costs.AddAll({.read = 0, .fixed = 1, .per_token = 0.1}, {10, 100, 1000});
  costs.Add({{.tokens = 12288}, 10000.0, 0.0});
  EXPECT_NEAR(static_cast<double>(costs.Knee().value_or(0)), 190, 2);
}

TEST(SweepCostModelTest, FollowsAMachineThatChanges) {
  Warm costs;
  costs.AddAll({.read = 10, .fixed = 0, .per_token = 0.05}, {18, 72});
  const auto knee = static_cast<double>(costs.Knee().value_or(0));
  const Machine after = {.read = 20, .fixed = 0, .per_token = 0.05};
  for (int i = 0; i < 50; ++i) costs.AddAll(after, {18});
  EXPECT_NEAR(static_cast<double>(costs.Knee().value_or(0)), 2 * knee, 4);
  EXPECT_NEAR(costs.Seconds(18), 20, 0.1);
}

// A hiccup of the disk in the one larger sweep must not keep sweeps small for ever; what is swept
// all the time is not forgotten.
TEST(SweepCostModelTest, WhatWasLearnedOnceIsForgotten) {
  const Machine machine = {.read = 10, .fixed = 0.1, .per_token = 0.002};
  Warm costs;
  costs.AddAll(machine, {18});
  costs.Add({{.tokens = 36}, 60.0, 0.0});
  EXPECT_LT(costs.Knee().value_or(0), 100);
  for (int i = 0; i < 255; ++i) costs.AddAll(machine, {18});
  EXPECT_TRUE(costs.Knee().has_value());
  costs.AddAll(machine, {18});
  EXPECT_FALSE(costs.Knee().has_value());
  EXPECT_NEAR(costs.Seconds(18), 10, 1e-9);
  costs.AddAll(machine, {18, 36});
  EXPECT_GT(costs.Knee().value_or(0), 1800);
}

// What small sessions are charged beside a large one follows from the knee, and the part of a sweep
// that rows share is a small difference of times: a few small sweeps that others slow down must not
// make it as large as the large session's rows.
TEST(SweepCostModelTest, AFewSlowSweepsDoNotMoveTheKnee) {
  const Machine machine = {.read = 0, .fixed = 0.005, .per_token = 0.001};
  constexpr double kKnee = 19 * 0.005 / 0.001;
  for (const bool calibrated : {false, true}) {
    Warm costs = calibrated ? Warm(machine) : Warm();
    for (int round = 0; round < 3; ++round) {
      costs.AddAll(machine, {12288, 180, 180, 180, 180});
      for (int i = 0; i < 5; ++i) costs.Add({{.tokens = 180}, 0.65, 0.0});
      EXPECT_NEAR(static_cast<double>(costs.Knee().value_or(0)), kKnee, 2) << calibrated;
    }
    EXPECT_GT(costs.Seconds(180), 0.3) << "which estimates are told of";
  }
}

// The large sweep computes for most of its time, and had to wait for something else for a while.
TEST(SweepCostModelTest, AFewWaitsDoNotMakeAMachineDiskBound) {
  const Machine machine = {.read = 0, .fixed = 0.005, .per_token = 0.001};
  for (const bool calibrated : {false, true}) {
    Warm costs = calibrated ? Warm(machine) : Warm();
    costs.AddAll(machine, {180, 180, 180, 180});
    for (int i = 0; i < 3; ++i) costs.Add({{.tokens = 12288}, 12.8, 0.5});
    EXPECT_LT(costs.Knee().value_or(0), 200) << calibrated;
  }
}

TEST(SweepCostModelTest, ACalibratedKneeIsCorrectedByHalfAtMost) {
  const Machine machine = {.read = 1, .fixed = 0, .per_token = 0.001};
  constexpr double kKnee = 0.95 * 1 / 0.001;
  Warm slow_disk(machine);
  Warm slow_processor(machine);
  for (int i = 0; i < 20; ++i) {
    slow_disk.AddAll({.read = 13, .fixed = 0, .per_token = 0.001}, {180});
    slow_processor.AddAll({.read = 1, .fixed = 0, .per_token = 0.004}, {180});
  }
  EXPECT_NEAR(static_cast<double>(slow_disk.Knee().value_or(0)), 2 * kKnee, 2);
  EXPECT_NEAR(static_cast<double>(slow_processor.Knee().value_or(0)), kKnee / 2, 2);
}

// A machine that became slower for good is believed once all that was learned before is forgotten.
TEST(SweepCostModelTest, TheKneeFollowsAProcessorThatChanges) {
  const Machine machine = {.read = 0, .fixed = 1, .per_token = 0.1};
  const Machine after = {.read = 0, .fixed = 4, .per_token = 0.1};
  Warm costs;
  costs.AddAll(machine, {10, 1000});
  for (int i = 0; i < 256; ++i) costs.AddAll(after, {10, 1000});
  EXPECT_NEAR(static_cast<double>(costs.Knee().value_or(0)), 19 * 4 / 0.1, 8);
}

}  // namespace
}  // namespace longtake
