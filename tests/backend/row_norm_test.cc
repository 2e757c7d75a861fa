// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "tests/backend/backend_testing.h"

namespace longtake {
namespace {

struct Shape {
  int64_t rows;
  int64_t width;
  int64_t group_rows;
};

std::vector<Shape> Shapes(Random& random) {
  std::vector<Shape> out = {{1, 1, 1}, {3, 16, 2}, {200, 384, 60}, {2, 1536, 1}};
  for (int i = 0; i < 30; ++i) {
    out.push_back({random.Int(1, 200), random.Int(1, 300), random.Int(1, 60)});
  }
  return out;
}

struct Moments {
  double mean = 0;
  double variance = 0;
  double mean_square = 0;
};
Moments Measure(const float* row, int64_t width) {
  Moments out;
  for (int64_t i = 0; i < width; ++i) out.mean += row[i];
  out.mean /= static_cast<double>(width);
  for (int64_t i = 0; i < width; ++i) {
    out.variance += (row[i] - out.mean) * (row[i] - out.mean);
    out.mean_square += double{row[i]} * row[i];
  }
  out.variance /= static_cast<double>(width);
  out.mean_square /= static_cast<double>(width);
  return out;
}

// Tolerance of all norms: 3e-6, with normalised values of a few units. Inputs are off centre.
constexpr double kTolerance = 3e-6;

std::vector<float> Input(Random& random, const Shape& shape) {
  std::vector<float> x = random.Floats(shape.rows * shape.width, 2.0f);
  for (float& value : x) value += 0.5f;
  return x;
}

TEST(RowNormTest, LayerNormModulateMatchesDoubles) {
  Random random(1);
  for (const Shape& shape : Shapes(random)) {
    const std::vector<float> x = Input(random, shape);
    const int64_t groups = (shape.rows + shape.group_rows - 1) / shape.group_rows;
    const int64_t stride = shape.width * 6;
    const std::vector<float> table = random.Floats(groups * stride);
    const float* shift = table.data() + 3 * shape.width;
    const float* scale = table.data() + 4 * shape.width;
    const bool in_place = shape.rows % 2 == 0;
    std::string different;
    const std::vector<float> out = RunEverywhere(
        [&](Backend& backend) {
          std::vector<float> y = in_place ? x : std::vector<float>(x.size());
          backend.LayerNormModulate({.in = DevicePtr(in_place ? y.data() : x.data()),
                                     .rows = shape.rows,
                                     .width = shape.width,
                                     .eps = 1e-2f,
                                     .shift = DevicePtr(shift),
                                     .scale = DevicePtr(scale),
                                     .group_rows = shape.group_rows,
                                     .group_stride = stride,
                                     .out = DevicePtr(y.data())});
          return y;
        },
        &different);
    EXPECT_EQ(different, "");
    for (int64_t r = 0; r < shape.rows; ++r) {
      const Moments moments = Measure(x.data() + r * shape.width, shape.width);
      for (int64_t i = 0; i < shape.width; ++i) {
        const double normal =
            (x[r * shape.width + i] - moments.mean) / std::sqrt(moments.variance + 1e-2f);
        const int64_t at = r / shape.group_rows * stride + i;
        ASSERT_NEAR(out[r * shape.width + i], normal * (1.0 + scale[at]) + shift[at], kTolerance)
            << shape.rows << " x " << shape.width << " row " << r << " column " << i;
      }
    }
  }
}

TEST(RowNormTest, LayerNormMatchesDoubles) {
  Random random(2);
  for (const Shape& shape : Shapes(random)) {
    const std::vector<float> x = Input(random, shape);
    const std::vector<float> gain = random.Floats(shape.width), bias = random.Floats(shape.width);
    std::string different;
    const std::vector<float> out = RunEverywhere(
        [&](Backend& backend) {
          std::vector<float> y(x.size());
          backend.LayerNorm({.in = DevicePtr(x.data()),
                             .rows = shape.rows,
                             .width = shape.width,
                             .eps = 1e-2f,
                             .gain = DevicePtr(gain.data()),
                             .bias = DevicePtr(bias.data()),
                             .out = DevicePtr(y.data())});
          return y;
        },
        &different);
    EXPECT_EQ(different, "");
    for (int64_t r = 0; r < shape.rows; ++r) {
      const Moments moments = Measure(x.data() + r * shape.width, shape.width);
      for (int64_t i = 0; i < shape.width; ++i) {
        const double normal =
            (x[r * shape.width + i] - moments.mean) / std::sqrt(moments.variance + 1e-2f);
        ASSERT_NEAR(out[r * shape.width + i], normal * gain[i] + bias[i], kTolerance);
      }
    }
  }
}

TEST(RowNormTest, RmsNormMatchesDoubles) {
  Random random(3);
  for (const Shape& shape : Shapes(random)) {
    const std::vector<float> x = Input(random, shape), gain = random.Floats(shape.width);
    std::string different;
    const std::vector<float> out = RunEverywhere(
        [&](Backend& backend) {
          std::vector<float> y = x;
          backend.RmsNorm({.in = DevicePtr(y.data()),
                           .rows = shape.rows,
                           .width = shape.width,
                           .eps = 1e-6f,
                           .gain = DevicePtr(gain.data()),
                           .out = DevicePtr(y.data())});
          return y;
        },
        &different);
    EXPECT_EQ(different, "");
    for (int64_t r = 0; r < shape.rows; ++r) {
      const double root =
          std::sqrt(Measure(x.data() + r * shape.width, shape.width).mean_square + 1e-6);
      for (int64_t i = 0; i < shape.width; ++i) {
        ASSERT_NEAR(out[r * shape.width + i], x[r * shape.width + i] / root * gain[i], kTolerance);
      }
    }
  }
}

}  // namespace
}  // namespace longtake
