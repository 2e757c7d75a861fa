// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/lane_costs.h"

#include <gtest/gtest.h>

namespace longtake {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
// Of a chunk.
constexpr SweepTime kSweeps = {.seconds = 3.0, .work_seconds = 1.5};
constexpr double kPixels = 1e6;

void Sweep(LaneCosts& costs, int64_t begin, int64_t end) {
  costs.BeginSweep(begin);
  costs.EndSweep(end);
}

void Decode(LaneCosts& costs, int64_t begin, int64_t end, double pixels = kPixels) {
  costs.BeginDecode(begin);
  costs.EndDecode(end, DecoderKind::kFull, pixels);
}

double DecodeSeconds(const LaneCosts& costs) {
  return costs.DecodeSeconds(DecoderKind::kFull, kPixels).value_or(-1);
}

// Two chunks of three seconds of sweeping and two of decoding, the warming up behind them.
void TakeTurns(LaneCosts& costs, int64_t from) {
  for (int64_t begin = from; begin < from + 10 * kSecond; begin += 5 * kSecond) {
    Sweep(costs, begin, begin + 3 * kSecond);
    Decode(costs, begin + 3 * kSecond, begin + 5 * kSecond);
  }
}

// The same, each decoding beside the next chunk's sweeps.
void RunBeside(LaneCosts& costs) {
  for (int64_t begin = 0; begin < 12 * kSecond; begin += 3 * kSecond) {
    costs.BeginSweep(begin);
    if (begin > 0) Decode(costs, begin, begin + 2 * kSecond);
    costs.EndSweep(begin + 3 * kSecond);
  }
}

TEST(LaneCosts, DecodingIsMeasuredByDecoder) {
  LaneCosts costs;
  EXPECT_EQ(DecodeSeconds(costs), -1);
  Decode(costs, 0, 2 * kSecond, 0.0);
  EXPECT_EQ(DecodeSeconds(costs), -1) << "it came to nothing";
  Decode(costs, 2 * kSecond, 4 * kSecond);
  EXPECT_DOUBLE_EQ(DecodeSeconds(costs), 2.0);
  EXPECT_FALSE(costs.DecodeSeconds(DecoderKind::kTiny, kPixels).has_value());
}

TEST(LaneCosts, LanesThatTakeTurnsAddUp) {
  LaneCosts costs;
  TakeTurns(costs, 0);
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds(kSweeps, 2.0), 5.0);
}

TEST(LaneCosts, OfLanesThatRunBesideEachOtherTheLongerOneCounts) {
  LaneCosts costs;
  RunBeside(costs);
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds(kSweeps, 2.0), 3.0);
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds(kSweeps, 6.0), 6.0) << "decoding is longer";
}

TEST(LaneCosts, BeforeAnythingIsMeasuredDecodingFillsTheTimeSweepsWait) {
  const LaneCosts costs({.full = 2e-6, .tiny = 1e-7});
  EXPECT_DOUBLE_EQ(DecodeSeconds(costs), 2.0);
  EXPECT_DOUBLE_EQ(*costs.DecodeSeconds(DecoderKind::kTiny, kPixels), 0.1);
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds(kSweeps, 1.0), 3.0) << "the disk gives time enough";
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds(kSweeps, 2.0), 3.5) << "computing both takes longer";
}

TEST(LaneCosts, TheFirstWorkOfALaneWarmsUp) {
  LaneCosts measured;
  LaneCosts calibrated({.full = 3e-6, .tiny = 0});
  for (LaneCosts* costs : {&measured, &calibrated}) Decode(*costs, 0, 100 * kSecond);
  EXPECT_DOUBLE_EQ(DecodeSeconds(measured), 100.0) << "nothing else is known";
  EXPECT_DOUBLE_EQ(DecodeSeconds(calibrated), 3.0);
  for (LaneCosts* costs : {&measured, &calibrated}) {
    TakeTurns(*costs, 200 * kSecond);
    EXPECT_DOUBLE_EQ(DecodeSeconds(*costs), 2.0);
  }
}

TEST(LaneCosts, WhatIsLongAgoIsForgotten) {
  LaneCosts costs;
  RunBeside(costs);
  for (int64_t i = 0; i < 40; ++i) TakeTurns(costs, (i + 2) * 20 * kSecond);
  EXPECT_NEAR(costs.ChunkSeconds(kSweeps, 2.0), 5.0, 1e-6);
}

}  // namespace
}  // namespace longtake
