// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/backend/backend_testing.h"

namespace longtake {
namespace {

struct Problem {
  Problem(Random& random, int64_t row_count, int64_t in, int64_t out, DType dtype)
      : rows(row_count),
        in_features(in),
        out_features(out),
        x(random.Floats(rows * in)),
        weight(random.Floats(in * out), dtype),
        bias(random.Floats(out)) {}

  std::vector<float> Run(Backend& backend) const {
    std::vector<float> y(static_cast<size_t>(rows * out_features), NAN);
    backend.Linear({.in = DevicePtr(x.data()),
                    .rows = rows,
                    .weight = {.data = DevicePtr(weight.data()),
                               .dtype = weight.dtype,
                               .out_features = out_features,
                               .in_features = in_features},
                    .bias = with_bias ? DevicePtr(bias.data()) : nullptr,
                    .activation = activation,
                    .out = DevicePtr(y.data())});
    return y;
  }

  double Activate(double v) const {
    if (activation == Activation::kSilu) return v / (1 + std::exp(-v));
    if (activation == Activation::kGeluTanh) {
      return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
    }
    return v;
  }

  // Tolerance: 1e-6 of the sum of magnitudes. Forty times the rounding of one operation leaves room
  // for a random walk over 1700 of them.
  void ExpectCorrect(const std::vector<float>& y) const {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t o = 0; o < out_features; ++o) {
        double sum = with_bias ? bias[o] : 0.0;
        double magnitude = std::abs(sum);
        for (int64_t i = 0; i < in_features; ++i) {
          const double product = double{x[r * in_features + i]} * weight.wide[o * in_features + i];
          sum += product;
          magnitude += std::abs(product);
        }
        const double got = y[r * out_features + o];
        ASSERT_NEAR(got, Activate(sum), 1e-6 * magnitude + 1e-7) << "row " << r << " column " << o;
      }
    }
  }

  int64_t rows, in_features, out_features;
  std::vector<float> x;
  Values weight;
  std::vector<float> bias;
  bool with_bias = true;
  Activation activation = Activation::kNone;
};

TEST(LinearTest, RandomShapesMatchDoubles) {
  Random random(1);
  for (int i = 0; i < 60; ++i) {
    const DType dtype = i % 2 == 0 ? DType::kBf16 : DType::kF32;
    Problem problem(random, random.Int(1, i % 5 == 0 ? 200 : 40), random.Int(1, 150),
                    random.Int(1, 150), dtype);
    problem.with_bias = i % 3 != 0;
    problem.activation = static_cast<Activation>(random.Int(0, 2));
    std::string different;
    const std::vector<float> y =
        RunEverywhere([&](Backend& backend) { return problem.Run(backend); }, &different);
    EXPECT_EQ(different, "") << problem.rows << " x " << problem.in_features << " x "
                             << problem.out_features;
    problem.ExpectCorrect(y);
  }
}

// Sums that pass through memory between depth blocks, column groups of every width.
TEST(LinearTest, DeepAndWideShapesMatchDoubles) {
  Random random(2);
  const int64_t shapes[][3] = {{3, 1700, 40}, {29, 384, 33}, {15, 385, 520}, {1, 1536, 300}};
  for (const auto& shape : shapes) {
    for (DType dtype : {DType::kF32, DType::kBf16}) {
      const Problem problem(random, shape[0], shape[1], shape[2], dtype);
      std::string different;
      problem.ExpectCorrect(
          RunEverywhere([&](Backend& backend) { return problem.Run(backend); }, &different));
      EXPECT_EQ(different, "");
    }
  }
}

TEST(LinearTest, RowsAloneGiveTheBitsOfRowsStacked) {
  Random random(3);
  const Problem all(random, 100, 777, 70, DType::kBf16);
  Backend& backend = *Machines().back()->backend;
  const std::vector<float> stacked = all.Run(backend);
  for (int64_t begin = 0; begin < all.rows;) {
    const int64_t rows = std::min(random.Int(1, 30), all.rows - begin);
    Problem part = all;
    part.rows = rows;
    part.x.assign(all.x.begin() + begin * 777, all.x.begin() + (begin + rows) * 777);
    const std::vector<float> expected(stacked.begin() + begin * 70,
                                      stacked.begin() + (begin + rows) * 70);
    EXPECT_TRUE(SameBits(part.Run(backend), expected)) << "rows from " << begin;
    begin += rows;
  }
}

// The promise of backend.h: one chain of fused multiply-adds, then the bias.
TEST(LinearTest, EveryElementIsOneChainInOrder) {
  Random random(4);
  const Problem problem(random, 9, 1000, 40, DType::kF32);
  const std::vector<float> y = problem.Run(*Machines().front()->backend);
  for (int64_t r = 0; r < 9; ++r) {
    for (int64_t o = 0; o < 40; ++o) {
      float chain = 0.0f;
      for (int64_t i = 0; i < 1000; ++i) {
        chain = std::fma(problem.x[r * 1000 + i], problem.weight.wide[o * 1000 + i], chain);
      }
      EXPECT_EQ(y[r * 40 + o], chain + problem.bias[o]);
    }
  }
}

TEST(LinearTest, NoRowsIsNothing) {
  Random random(5);
  const Problem problem(random, 0, 16, 16, DType::kF32);
  EXPECT_TRUE(problem.Run(*Machines().front()->backend).empty());
}

}  // namespace
}  // namespace longtake
