// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Tables and orders against the values of docs/spec 2.1, 2.2, 2.6 and 5.1.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "engine/model/umt5/relative_buckets.h"
#include "engine/model/wan/patches.h"
#include "engine/model/wan/rotary_table.h"
#include "engine/model/wan/time_embedding.h"
#include "tests/model/reference_backend.h"

namespace longtake {
namespace {

struct Value {
  size_t index;
  double value;
};

TEST(Sinusoid, SpecValues) {
  const auto expect = [](double timestep, const std::vector<Value>& values) {
    std::vector<float> out(256);
    FillSinusoid(timestep, out);
    for (const Value& v : values) EXPECT_NEAR(out[v.index], v.value, 1e-6) << v.index;
  };
  expect(937.5, {{0, 0.262302},
                 {1, 0.580487},
                 {64, -0.998761},
                 {127, 0.994930},
                 {128, 0.964986},
                 {129, -0.814269},
                 {192, 0.049757},
                 {255, 0.100574}});
  expect(625, {{0, -0.984387},
               {1, -0.915967},
               {64, 0.999449},
               {127, 0.997745},
               {128, 0.176016},
               {129, -0.401253},
               {192, -0.033179},
               {255, 0.067113}});
}

TEST(RotaryTable, SpecAngles) {
  const TokenGrid grid{4, 8};
  std::vector<float> table(static_cast<size_t>(grid.tokens() * 128));
  FillRotaryTable(grid, 128, 20, table);
  const float* token = table.data() + (3 * grid.width + 7) * 128;
  const Value angles[] = {{0, 20}, {1, 13.158664}, {21, 0.003040},
                          {22, 3}, {23, 1.934840}, {42, 0.000465},
                          {43, 7}, {44, 4.514627}, {63, 0.001085}};
  for (const Value& angle : angles) {
    EXPECT_NEAR(token[2 * angle.index], std::cos(angle.value), 1e-6) << angle.index;
    EXPECT_NEAR(token[2 * angle.index + 1], std::sin(angle.value), 1e-6) << angle.index;
  }
}

// Pairs of time, row, column for each head size: a pair whose angle is 1 shows where its axis
// starts.
TEST(RotaryTable, SplitBetweenAxes) {
  const auto first_of_row_and_column = [](int64_t head_dim) {
    std::vector<float> table(static_cast<size_t>(4 * head_dim));
    FillRotaryTable({2, 2}, head_dim, 0, table);
    std::vector<int64_t> firsts;
    for (const int64_t token : {2, 1}) {  // (y 1, x 0), (y 0, x 1)
      for (int64_t pair = 0; pair < head_dim / 2; ++pair) {
        if (table[static_cast<size_t>(token * head_dim + 2 * pair + 1)] == 0.0f) continue;
        firsts.push_back(2 * pair);
        break;
      }
    }
    return firsts;
  };
  EXPECT_EQ(first_of_row_and_column(128), (std::vector<int64_t>{44, 86}));
  EXPECT_EQ(first_of_row_and_column(12), (std::vector<int64_t>{4, 8}));
  EXPECT_EQ(first_of_row_and_column(16), (std::vector<int64_t>{8, 12}));
  EXPECT_EQ(first_of_row_and_column(64), (std::vector<int64_t>{24, 44}));
}

TEST(RotaryTable, FarFramesAreAsExactAsNearOnes) {
  constexpr int64_t kFrame = 7'000'001;
  std::vector<float> table(6);
  FillRotaryTable({1, 1}, 6, kFrame, table);
  EXPECT_EQ(table[0], static_cast<float>(std::cos(static_cast<double>(kFrame))));
  EXPECT_EQ(table[1], static_cast<float>(std::sin(static_cast<double>(kFrame))));
}

TEST(RotaryTables, KeepsWhatThePassBeforeUsed) {
  ReferenceBackend backend;
  RotaryTables tables(backend, 12);
  const auto get = [&](const TokenGrid& grid) { return *tables.Get(grid, 5); };
  tables.BeginSweep();
  const DevicePtr<const float> first = get({2, 2});
  EXPECT_EQ(get({2, 2}), first);
  EXPECT_NE(get({2, 3}), first);
  EXPECT_EQ(tables.size(), 2u);
  tables.BeginSweep();
  EXPECT_EQ(get({2, 2}), first);
  tables.BeginSweep();
  EXPECT_EQ(tables.size(), 1u);
  tables.BeginSweep();
  EXPECT_EQ(tables.size(), 0u);
}

TEST(RelativeBucket, SpecThresholds) {
  const std::vector<std::pair<int64_t, int64_t>> expected = {
      {0, 0},   {7, 7},   {8, 8},   {11, 8},  {12, 9},  {15, 9},  {16, 10}, {22, 10}, {23, 11},
      {31, 11}, {32, 12}, {45, 12}, {46, 13}, {63, 13}, {64, 14}, {90, 14}, {91, 15}, {600, 15}};
  for (const auto& [distance, bucket] : expected) {
    EXPECT_EQ(RelativeBucket(-distance), bucket);
    EXPECT_EQ(RelativeBucket(distance), distance == 0 ? 0 : bucket + 16);
  }
}

TEST(Patches, ValueOrders) {
  const LatentShape shape{.channels = 2, .frames = 2, .height = 4, .width = 6};
  std::vector<float> latents(96);
  std::iota(latents.begin(), latents.end(), 0.0f);
  std::vector<float> tokens(96);
  Patchify(shape, latents.data(), tokens.data());
  // Token (frame 1, row 1, column 2): channel, dy, dx.
  const size_t token = 6 + 3 + 2;
  const std::vector<float> patch(tokens.begin() + token * 8, tokens.begin() + token * 8 + 8);
  EXPECT_EQ(patch, (std::vector<float>{40, 41, 46, 47, 88, 89, 94, 95}));

  // Back, with the head's order: dy, dx, channel.
  std::vector<float> head(96);
  for (size_t t = 0; t < 12; ++t) {
    for (size_t c = 0; c < 2; ++c) {
      for (size_t corner = 0; corner < 4; ++corner) {
        head[t * 8 + corner * 2 + c] = tokens[t * 8 + c * 4 + corner];
      }
    }
  }
  std::vector<float> back(96);
  Unpatchify(shape, head.data(), back.data());
  EXPECT_EQ(back, latents);
}

}  // namespace
}  // namespace longtake
