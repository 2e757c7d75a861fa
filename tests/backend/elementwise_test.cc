// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "tests/backend/backend_testing.h"

namespace longtake {
namespace {

TEST(ElementwiseTest, RotaryMatchesDoubles) {
  Random random(1);
  for (int64_t head_dim : {2, 4, 16, 24, 64, 128, 130}) {
    const int64_t rows = random.Int(1, 200), heads = random.Int(1, 5);
    const std::vector<float> x = random.Floats(rows * heads * head_dim);
    const std::vector<float> table = random.Floats(rows * head_dim);
    std::string different;
    const std::vector<float> out = RunEverywhere(
        [&](Backend& backend) {
          std::vector<float> y = x;
          backend.Rotary({.x = DevicePtr(y.data()),
                          .rows = rows,
                          .heads = heads,
                          .head_dim = head_dim,
                          .table = DevicePtr(table.data())});
          return y;
        },
        &different);
    EXPECT_EQ(different, "");
    for (int64_t i = 0; i < rows * heads * head_dim; i += 2) {
      const float* pair = table.data() + i / (heads * head_dim) * head_dim + i % head_dim;
      const double a = x[i], b = x[i + 1], c = pair[0], s = pair[1];
      ASSERT_NEAR(out[i], a * c - b * s, 2e-7);
      ASSERT_NEAR(out[i + 1], a * s + b * c, 2e-7);
    }
  }
}

// Fused: one rounding, so the result is exactly std::fma's.
TEST(ElementwiseTest, GatedAddIsOneFusedMultiplyAdd) {
  Random random(2);
  for (int i = 0; i < 20; ++i) {
    const int64_t rows = random.Int(1, 200), width = random.Int(1, 300);
    const int64_t group_rows = random.Int(1, 70), stride = width + 3;
    const std::vector<float> x = random.Floats(rows * width), y = random.Floats(rows * width);
    const std::vector<float> gate = random.Floats(rows * stride);
    const bool gated = i % 4 != 0;
    std::string different;
    const std::vector<float> out = RunEverywhere(
        [&](Backend& backend) {
          std::vector<float> z = x;
          backend.GatedAdd({.x = DevicePtr(z.data()),
                            .y = DevicePtr(y.data()),
                            .rows = rows,
                            .width = width,
                            .gate = gated ? DevicePtr(gate.data()) : nullptr,
                            .group_rows = group_rows,
                            .group_stride = stride});
          return z;
        },
        &different);
    EXPECT_EQ(different, "");
    for (int64_t at = 0; at < rows * width; ++at) {
      const float factor = gate[at / width / group_rows * stride + at % width];
      ASSERT_EQ(out[at], gated ? std::fma(y[at], factor, x[at]) : x[at] + y[at]);
    }
  }
}

// Rows as wide as the table, and rows that the table repeats.
TEST(ElementwiseTest, DistanceBiasIsOfTheBucketOfItsDistance) {
  Random random(12);
  for (const int64_t rows : {1, 2, 37, 130}) {
    constexpr int64_t kHeads = 3;
    constexpr int32_t kBuckets = 5;
    const std::vector<float> table = random.Floats(kBuckets * kHeads);
    std::vector<int32_t> buckets;
    for (int64_t i = 0; i < 2 * rows - 1; ++i) {
      buckets.push_back(static_cast<int32_t>(i * i) % kBuckets);
    }
    std::vector<float> expected;
    for (int64_t head = 0; head < kHeads; ++head) {
      for (int64_t query = 0; query < rows; ++query) {
        for (int64_t key = 0; key < rows; ++key) {
          const int32_t bucket = buckets[static_cast<size_t>(key - query + rows - 1)];
          expected.push_back(table[static_cast<size_t>(bucket * kHeads + head)]);
        }
      }
    }
    std::string different;
    const std::vector<float> out = RunEverywhere(
        [&](Backend& backend) {
          std::vector<float> bias(expected.size());
          backend.DistanceBias({.table = DevicePtr<const float>(table.data()),
                                .buckets = buckets,
                                .heads = kHeads,
                                .rows = rows,
                                .out = DevicePtr(bias.data())});
          return bias;
        },
        &different);
    EXPECT_EQ(different, "");
    EXPECT_EQ(out, expected) << rows;
  }
}

TEST(ElementwiseTest, AddTableIsExact) {
  Random random(4);
  for (const int64_t in_width : {1, 7, 192, 20000}) {
    for (const int64_t runs : {1, 6}) {
      const int64_t rows = random.Int(1, 5), width = runs * in_width;
      const std::vector<float> in = random.Floats(rows * in_width), table = random.Floats(width);
      std::string different;
      const std::vector<float> out = RunEverywhere(
          [&](Backend& backend) {
            std::vector<float> sums(static_cast<size_t>(rows * width));
            backend.AddTable({.in = DevicePtr(in.data()),
                              .rows = rows,
                              .in_width = in_width,
                              .table = DevicePtr(table.data()),
                              .width = width,
                              .out = DevicePtr(sums.data())});
            return sums;
          },
          &different);
      EXPECT_EQ(different, "");
      for (int64_t i = 0; i < rows * width; ++i) {
        ASSERT_EQ(out[i], table[i % width] + in[i / width * in_width + i % in_width]) << i;
      }
    }
  }
}

TEST(ElementwiseTest, MultiplyIsExact) {
  Random random(3);
  for (int64_t count : {1, 15, 16, 17, 1000, 100003}) {
    const std::vector<float> x = random.Floats(count), y = random.Floats(count);
    std::string different;
    const std::vector<float> out = RunEverywhere(
        [&](Backend& backend) {
          std::vector<float> z = x;
          backend.Multiply(DevicePtr(z.data()), DevicePtr(y.data()), count);
          return z;
        },
        &different);
    EXPECT_EQ(different, "");
    for (int64_t i = 0; i < count; ++i) ASSERT_EQ(out[i], x[i] * y[i]);
  }
}

// Tolerance 4e-7 relative: our own exponential and one division.
TEST(ElementwiseTest, SiluMatchesDoubles) {
  std::vector<float> x;
  for (float value = -80.0f; value <= 100.0f; value += 0.00371f) x.push_back(value);
  std::string different;
  const std::vector<float> out = RunEverywhere(
      [&](Backend& backend) {
        std::vector<float> y = x;
        backend.Silu(DevicePtr(y.data()), static_cast<int64_t>(y.size()));
        return y;
      },
      &different);
  EXPECT_EQ(different, "");
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = double{x[i]} / (1.0 + std::exp(-double{x[i]}));
    ASSERT_NEAR(out[i], expected, 4e-7 * std::abs(expected)) << x[i];
  }
}

TEST(ElementwiseTest, ReluOnAllMachines) {
  Random random(9);
  const std::vector<float> x = random.Floats(40011);
  std::string different;
  const std::vector<float> y = RunEverywhere(
      [&](Backend& backend) {
        std::vector<float> out = x;
        backend.Relu(DevicePtr(out.data()), static_cast<int64_t>(out.size()));
        return out;
      },
      &different);
  EXPECT_EQ(different, "");
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(y[i], x[i] > 0.0f ? x[i] : 0.0f);
}

// A decoder's pixels are looked at after the last layer: no layer may hide one before.
TEST(ElementwiseTest, ReluKeepsNanAndHasOneZero) {
  std::string different;
  const std::vector<float> y = RunEverywhere(
      [&](Backend& backend) {
        std::vector<float> x = {NAN, -0.0f, INFINITY, -INFINITY};
        backend.Relu(DevicePtr(x.data()), 4);
        for (float& value : x) value = std::isnan(value) ? 7.0f : value;
        return x;
      },
      &different);
  EXPECT_EQ(different, "");
  EXPECT_EQ(y[0], 7.0f) << "it was a NaN";
  EXPECT_FALSE(std::signbit(y[1]));
  EXPECT_EQ(y[2], INFINITY);
  EXPECT_EQ(y[3], 0.0f);
}

TEST(ElementwiseTest, SiluKeepsNanAndEnds) {
  std::vector<float> x = {NAN, 1e30f, -1e4f, 0.0f};
  Machines().back()->backend->Silu(DevicePtr(x.data()), 4);
  EXPECT_TRUE(std::isnan(x[0]));
  EXPECT_EQ(x[1], 1e30f);
  EXPECT_NEAR(x[2], 0.0f, 1e-30f);
  EXPECT_EQ(x[3], 0.0f);
}

}  // namespace
}  // namespace longtake
