// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/sweep_costs.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace longtake {
namespace {

// A machine that reads a sweep in read seconds and computes it in fixed + tokens * per_token.
struct Machine {
  double read = 0;
  double fixed = 0;
  double per_token = 0;

  SweepCost Sweep(int64_t tokens) const {
    const double work = fixed + per_token * static_cast<double>(tokens);
    return {tokens, std::max(read, work), std::max(0.0, read - work)};
  }
};

// Past its first sweep, which teaches nothing.
SweepCosts Warm() {
  SweepCosts costs;
  costs.Add({1000, 1000.0, 999.0});
  return costs;
}

TEST(SweepCostsTest, NothingIsKnownBeforeSweepsOfTwoSizes) {
  SweepCosts costs = Warm();
  EXPECT_FALSE(costs.Knee().has_value());
  costs.Add({18, 1.0, 0.8});
  costs.Add({18, 1.0, 0.8});
  EXPECT_FALSE(costs.Knee().has_value());
  costs.Add({0, 1.0, 0.8});
  costs.Add({100, 0.0, 0.0});
  EXPECT_FALSE(costs.Knee().has_value());
}

TEST(SweepCostsTest, FindsTheKneeOfADiskBoundMachineFromSweepsBelowIt) {
  const Machine machine = {.read = 10, .fixed = 0.1, .per_token = 0.05};
  SweepCosts costs = Warm();
  for (const int64_t tokens : {18, 36, 72}) costs.Add(machine.Sweep(tokens));
  ASSERT_TRUE(costs.Knee().has_value());
  EXPECT_NEAR(static_cast<double>(*costs.Knee()), 0.95 * 10 / 0.05, 2);
}

TEST(SweepCostsTest, FixedComputingIsSharedToo) {
  const Machine machine = {.read = 0, .fixed = 1, .per_token = 0.1};
  SweepCosts costs = Warm();
  for (const int64_t tokens : {10, 1000}) costs.Add(machine.Sweep(tokens));
  EXPECT_NEAR(static_cast<double>(*costs.Knee()), 190, 2);
}

TEST(SweepCostsTest, WhereNothingIsSharedTheKneeIsOneRow) {
  const Machine machine = {.read = 0, .fixed = 0, .per_token = 0.1};
  SweepCosts costs = Warm();
  for (const int64_t tokens : {180, 12288}) costs.Add(machine.Sweep(tokens));
  EXPECT_EQ(costs.Knee(), 1);
}

// A large session attends to so many rows that each of its own costs several times as much.
TEST(SweepCostsTest, ALargeSessionDoesNotHideWhatSmallOnesShare) {
  const Machine machine = {.read = 0, .fixed = 1, .per_token = 0.1};
  SweepCosts costs = Warm();
  for (const int64_t tokens : {10, 100, 1000}) costs.Add(machine.Sweep(tokens));
  costs.Add({12288, 10000.0, 0.0});
  EXPECT_NEAR(static_cast<double>(*costs.Knee()), 190, 2);
}

TEST(SweepCostsTest, FollowsAMachineThatChanges) {
  SweepCosts costs = Warm();
  const Machine before = {.read = 10, .fixed = 0, .per_token = 0.05};
  const Machine after = {.read = 20, .fixed = 0, .per_token = 0.05};
  for (const int64_t tokens : {18, 72}) costs.Add(before.Sweep(tokens));
  const int64_t knee = *costs.Knee();
  for (int i = 0; i < 30; ++i) costs.Add(after.Sweep(18));
  EXPECT_NEAR(static_cast<double>(*costs.Knee()), 2.0 * static_cast<double>(knee), 4);
}

// A hiccup of the disk in the one larger sweep must not keep sweeps small for ever.
TEST(SweepCostsTest, WhatWasLearnedOnceIsForgotten) {
  const Machine machine = {.read = 10, .fixed = 0.1, .per_token = 0.002};
  SweepCosts costs = Warm();
  costs.Add(machine.Sweep(18));
  costs.Add({36, 60.0, 0.0});
  EXPECT_LT(*costs.Knee(), 100);
  for (int i = 0; i < 254; ++i) costs.Add(machine.Sweep(18));
  EXPECT_FALSE(costs.Knee().has_value());
  for (const int64_t tokens : {18, 36}) costs.Add(machine.Sweep(tokens));
  EXPECT_GT(*costs.Knee(), 1800);
}

}  // namespace
}  // namespace longtake
