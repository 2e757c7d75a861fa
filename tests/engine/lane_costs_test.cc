// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/lane_costs.h"

#include <gtest/gtest.h>

namespace longtake {
namespace {

using Lane = LaneCosts::Lane;

constexpr int64_t kSecond = 1'000'000'000;
// Of a chunk.
constexpr double kFlops = 6e9;
constexpr double kPixels = 1e6;

// Two chunks of three seconds of sweeping and two of decoding, the warming up behind them.
void TakeTurns(LaneCosts& costs, int64_t from) {
  for (int64_t begin = from; begin < from + 10 * kSecond; begin += 5 * kSecond) {
    costs.Begin(Lane::kSweep, begin);
    costs.End(Lane::kSweep, begin + 3 * kSecond, kFlops);
    costs.Begin(Lane::kDecode, begin + 3 * kSecond);
    costs.End(Lane::kDecode, begin + 5 * kSecond, kPixels);
  }
}

// The same, each decoding beside the next chunk's sweeps.
void RunBeside(LaneCosts& costs) {
  for (int64_t begin = 0; begin < 12 * kSecond; begin += 3 * kSecond) {
    costs.Begin(Lane::kSweep, begin);
    if (begin > 0) costs.Begin(Lane::kDecode, begin);
    if (begin > 0) costs.End(Lane::kDecode, begin + 2 * kSecond, kPixels);
    costs.End(Lane::kSweep, begin + 3 * kSecond, kFlops);
  }
}

TEST(LaneCosts, NothingIsKnownBeforeBothLanesDidSomething) {
  LaneCosts costs;
  EXPECT_FALSE(costs.Predict(kFlops, kPixels, 1.0).has_value());
  costs.Begin(Lane::kSweep, 0);
  costs.End(Lane::kSweep, kSecond, kFlops);
  costs.Begin(Lane::kDecode, kSecond);
  EXPECT_FALSE(costs.Predict(kFlops, kPixels, 1.0).has_value());
  costs.End(Lane::kDecode, 2 * kSecond, 0.0);
  EXPECT_FALSE(costs.Predict(kFlops, kPixels, 1.0).has_value()) << "it came to nothing";
}

TEST(LaneCosts, LanesThatTakeTurnsAddUp) {
  LaneCosts costs;
  TakeTurns(costs, 0);
  const auto told = costs.Predict(kFlops, kPixels, 1.0);
  ASSERT_TRUE(told.has_value());
  EXPECT_DOUBLE_EQ(told->chunk, 5.0);
  EXPECT_DOUBLE_EQ(told->first, 5.0);
}

TEST(LaneCosts, OfLanesThatRunBesideEachOtherTheLongerOneCounts) {
  LaneCosts costs;
  RunBeside(costs);
  const auto told = costs.Predict(kFlops, kPixels, 1.0);
  ASSERT_TRUE(told.has_value());
  EXPECT_DOUBLE_EQ(told->chunk, 3.0);
  EXPECT_DOUBLE_EQ(told->first, 5.0) << "the first chunk's pixels come after its sweeps";
  EXPECT_DOUBLE_EQ(costs.Predict(kFlops, 3 * kPixels, 1.0)->chunk, 6.0) << "decoding is longer";
  EXPECT_DOUBLE_EQ(costs.Predict(kFlops, kPixels, 2.0)->chunk, 6.0) << "slower sweeps";
}

TEST(LaneCosts, TheFirstWorkOfALaneWarmsUp) {
  LaneCosts costs;
  costs.Begin(Lane::kSweep, 0);
  costs.End(Lane::kSweep, 100 * kSecond, kFlops);
  costs.Begin(Lane::kDecode, 100 * kSecond);
  costs.End(Lane::kDecode, 200 * kSecond, kPixels);
  EXPECT_DOUBLE_EQ(costs.Predict(kFlops, kPixels, 1.0)->first, 200.0);
  TakeTurns(costs, 200 * kSecond);
  EXPECT_DOUBLE_EQ(costs.Predict(kFlops, kPixels, 1.0)->first, 5.0);
}

TEST(LaneCosts, WhatIsLongAgoIsForgotten) {
  LaneCosts costs;
  RunBeside(costs);
  for (int64_t i = 0; i < 40; ++i) TakeTurns(costs, (i + 2) * 20 * kSecond);
  EXPECT_NEAR(costs.Predict(kFlops, kPixels, 1.0)->chunk, 5.0, 1e-6);
}

}  // namespace
}  // namespace longtake
