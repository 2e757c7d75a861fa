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
  return costs.DecodeSeconds(DecoderKind::kFull, kPixels, 1).value_or(-1);
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
  EXPECT_FALSE(costs.DecodeSeconds(DecoderKind::kTiny, kPixels, 1).has_value());
}

// So does a take of one chunk; a longer one will not.
TEST(LaneCosts, LanesThatTookTurnsWillRunBesideEachOther) {
  LaneCosts costs;
  TakeTurns(costs, 0);
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds(kSweeps, 2.0), 1.5 + 2.0);
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds(kSweeps, 1.0), 3.0);
}

// Its decoding takes as long as a chunk and nearly all that is remembered.
TEST(LaneCosts, TheEndOfATakeWhereNothingIsSweptSaysNothingOfALongOne) {
  LaneCosts costs;
  RunBeside(costs);
  Decode(costs, 12 * kSecond, 17 * kSecond);
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds({.seconds = 3.0, .work_seconds = 1.0}, 2.5), 3.0);
}

TEST(LaneCosts, OfLanesThatRunBesideEachOtherTheLongerOneCounts) {
  LaneCosts costs;
  RunBeside(costs);
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds(kSweeps, 2.0), 3.0);
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds(kSweeps, 6.0), 6.0) << "decoding is longer";
}

// Sweeps that compute for nearly as long as they read: what both computed is more than a chunk, for
// each was slowed down by the other.
TEST(LaneCosts, WorkThatWasMeasuredBesideOtherWorkIsNotCountedTwice) {
  LaneCosts costs;
  RunBeside(costs);
  const SweepTime sweeps = {.seconds = 3.0, .work_seconds = 2.8};
  EXPECT_LT(costs.ChunkSeconds(sweeps, 2.0), 1.05 * 3.0) << "a quarter of the sweeps were alone";
  const double before = costs.ChunkSeconds(sweeps, 2.0);
  Decode(costs, 12 * kSecond, 17 * kSecond);
  EXPECT_LT(costs.ChunkSeconds(sweeps, 2.0), 1.1 * before) << "the end of a take";
}

TEST(LaneCosts, BeforeAnythingIsMeasuredDecodingFillsTheTimeSweepsWait) {
  const LaneCosts costs({.full = {.pixel = 2e-6}, .tiny = {.pixel = 1e-7}});
  EXPECT_DOUBLE_EQ(DecodeSeconds(costs), 2.0);
  EXPECT_DOUBLE_EQ(*costs.DecodeSeconds(DecoderKind::kTiny, kPixels, 1), 0.1);
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds(kSweeps, 1.0), 3.0) << "the disk gives time enough";
  EXPECT_DOUBLE_EQ(costs.ChunkSeconds(kSweeps, 2.0), 3.5) << "computing both takes longer";
}

// Of two frames of kPixels.
double FirstChunkSeconds(const LaneCosts& costs, const SweepTime& next) {
  const LaneCosts::DecodedChunk chunk = {.latents = 3, .frames = 2, .frame_pixels = kPixels};
  return costs.FirstChunkSeconds(kSweeps, DecoderKind::kFull, chunk, next).value_or(-1);
}

TEST(LaneCosts, TheFirstChunkIsDecodedBesideTheNextOnesSweeps) {
  const LaneCosts costs({.full = {.pixel = 2e-6, .begin = 1e-6}, .tiny = {}});
  EXPECT_DOUBLE_EQ(FirstChunkSeconds(costs, {}), 3.0 + 5.0) << "nothing comes after it";
  EXPECT_DOUBLE_EQ(FirstChunkSeconds(costs, {.seconds = 9, .work_seconds = 9}), 3.0 + 10.0);
  EXPECT_DOUBLE_EQ(FirstChunkSeconds(costs, {.seconds = 3, .work_seconds = 3}), 3.0 + 8.0)
      << "those end before";
  EXPECT_DOUBLE_EQ(FirstChunkSeconds(costs, {.seconds = 40, .work_seconds = 10}), 3.0 + 6.25)
      << "those wait for the disk";
}

// Two seconds for a million pixels, beside sweeps: twice what was calibrated.
TEST(LaneCosts, WhatWasMeasuredBesideTheOtherLaneIsToldAsIfAloneBeforeIt) {
  LaneCosts costs({.full = {.pixel = 1e-6, .begin = 5e-7}, .tiny = {}});
  RunBeside(costs);
  EXPECT_DOUBLE_EQ(DecodeSeconds(costs), 2.0);
  // About half of the sweeps' time was beside decoding, and would have been half as long alone.
  EXPECT_NEAR(FirstChunkSeconds(costs, {.seconds = 9, .work_seconds = 9}), 0.75 * 3.0 + 4.0 + 1.0,
              0.1);
  const SweepTime read = {.seconds = 3.0, .read_seconds = 3.0, .work_seconds = 0.1};
  const LaneCosts::DecodedChunk nothing = {};
  EXPECT_DOUBLE_EQ(*costs.FirstChunkSeconds(read, DecoderKind::kFull, nothing, {}), 3.0)
      << "the disk is no faster alone";
  LaneCosts uncalibrated;
  EXPECT_EQ(FirstChunkSeconds(uncalibrated, kSweeps), -1);
  TakeTurns(uncalibrated, 0);
  EXPECT_DOUBLE_EQ(FirstChunkSeconds(uncalibrated, kSweeps), 3.0 + 4.0);
}

TEST(LaneCosts, TheFirstWorkOfALaneWarmsUp) {
  LaneCosts measured;
  LaneCosts calibrated({.full = {.pixel = 3e-6}, .tiny = {}});
  for (LaneCosts* costs : {&measured, &calibrated}) Decode(*costs, 0, 100 * kSecond);
  EXPECT_DOUBLE_EQ(DecodeSeconds(measured), 100.0) << "nothing else is known";
  EXPECT_DOUBLE_EQ(DecodeSeconds(calibrated), 3.0);
  for (LaneCosts* costs : {&measured, &calibrated}) {
    TakeTurns(*costs, 200 * kSecond);
    EXPECT_DOUBLE_EQ(DecodeSeconds(*costs), 2.0);
  }
}

// Small pictures take longer than their pixels say, and what they took says how much slower large
// ones are.
TEST(LaneCosts, ALatentCostsSomethingWhateverItsSize) {
  LaneCosts costs({.full = {.pixel = 1e-6, .latent = 0.5}, .tiny = {}});
  EXPECT_DOUBLE_EQ(*costs.DecodeSeconds(DecoderKind::kFull, 1e6, 3), 2.5);
  EXPECT_DOUBLE_EQ(*costs.DecodeSeconds(DecoderKind::kFull, 1e6, 0), 1.0);
  for (int i = 0; i < 3; ++i) Decode(costs, 10 * i * kSecond, (10 * i + 2) * kSecond, 5e5);
  EXPECT_DOUBLE_EQ(*costs.DecodeSeconds(DecoderKind::kFull, 1e6, 3), 5.0);
}

TEST(LaneCosts, WhatIsLongAgoIsForgotten) {
  LaneCosts costs;
  RunBeside(costs);
  for (int64_t i = 0; i < 40; ++i) TakeTurns(costs, (i + 2) * 20 * kSecond);
  EXPECT_NEAR(costs.ChunkSeconds(kSweeps, 2.0), 3.5, 1e-6);
}

}  // namespace
}  // namespace longtake
