// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Linear with int8 weights, and with bf16 products.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/backend/backend_testing.h"

namespace longtake {
namespace {

struct Int8Problem {
  Int8Problem(Random& random, int64_t row_count, int64_t in, int64_t out)
      : rows(row_count),
        in_features(in),
        out_features(out),
        x(random.Floats(rows * in, 3.0f)),
        bias(random.Floats(out)) {
    for (int64_t i = 0; i < in * out; ++i) {
      weight.push_back(static_cast<int8_t>(random.Int(-127, 127)));
    }
    for (float scale : random.Floats(out, 0.01f)) scales.push_back(std::abs(scale) + 1e-4f);
  }

  std::vector<float> Run(Backend& backend) const {
    std::vector<float> y(static_cast<size_t>(rows * out_features), NAN);
    backend.Linear({.in = DevicePtr(x.data()),
                    .rows = rows,
                    .weight = {.data = DevicePtr(weight.data()),
                               .dtype = DType::kI8,
                               .out_features = out_features,
                               .in_features = in_features,
                               .scales = DevicePtr(scales.data())},
                    .bias = with_bias ? DevicePtr(bias.data()) : nullptr,
                    .activation = activation,
                    .out = DevicePtr(y.data())});
    return y;
  }

  // Bytes of a row and what a step of them is worth, by the words of backend.h.
  float Quantise(int64_t row, std::vector<int64_t>* bytes) const {
    const float* in = x.data() + row * in_features;
    float magnitude = 0.0f;
    for (int64_t i = 0; i < in_features; ++i) magnitude = std::max(magnitude, std::abs(in[i]));
    bytes->clear();
    for (int64_t i = 0; i < in_features; ++i) {
      bytes->push_back(magnitude == 0.0f ? 0 : std::lrint(in[i] * (127.0f / magnitude)));
    }
    return magnitude / 127.0f;
  }

  // Bit for bit.
  std::vector<float> Expected() const {
    std::vector<float> y;
    std::vector<int64_t> bytes;
    for (int64_t r = 0; r < rows; ++r) {
      const float row_scale = Quantise(r, &bytes);
      for (int64_t o = 0; o < out_features; ++o) {
        int64_t sum = 0;
        for (int64_t i = 0; i < in_features; ++i) sum += bytes[i] * weight[o * in_features + i];
        const float scaled = static_cast<float>(sum) * row_scale * scales[o];
        y.push_back(with_bias ? scaled + bias[o] : scaled);
      }
    }
    return y;
  }

  int64_t rows, in_features, out_features;
  std::vector<float> x;
  std::vector<float> bias;
  std::vector<int8_t> weight;
  std::vector<float> scales;
  bool with_bias = true;
  Activation activation = Activation::kNone;
};

TEST(Int8LinearTest, EverySumIsExactOnEveryInstructionSet) {
  Random random(1);
  for (int i = 0; i < 60; ++i) {
    Int8Problem problem(random, random.Int(1, i % 5 == 0 ? 200 : 40), random.Int(1, 200),
                        random.Int(1, 150));
    problem.with_bias = i % 3 != 0;
    std::string different;
    const std::vector<float> y =
        RunEverywhere([&](Backend& backend) { return problem.Run(backend); }, &different);
    EXPECT_EQ(different, "");
    EXPECT_TRUE(SameBits(y, problem.Expected()))
        << problem.rows << " x " << problem.in_features << " x " << problem.out_features;
  }
}

// Sums that wait between depth blocks, wide groups of columns.
TEST(Int8LinearTest, DeepAndWideShapes) {
  Random random(2);
  const int64_t shapes[][3] = {{3, 3700, 40}, {33, 1536, 33}, {65, 1537, 300}, {1, 5000, 70}};
  for (const auto& shape : shapes) {
    const Int8Problem problem(random, shape[0], shape[1], shape[2]);
    std::string different;
    const std::vector<float> y =
        RunEverywhere([&](Backend& backend) { return problem.Run(backend); }, &different);
    EXPECT_EQ(different, "");
    EXPECT_TRUE(SameBits(y, problem.Expected())) << shape[0] << " x " << shape[1];
  }
}

// The widest rows there may be, the largest products, and more rows than one block holds.
TEST(Int8LinearTest, LargestSumsDoNotOverflow) {
  Random random(3);
  Int8Problem problem(random, 550, kInt8InFeaturesMax, 3);
  std::fill(problem.x.begin(), problem.x.end(), 2.0f);
  std::fill(problem.weight.begin(), problem.weight.end(), int8_t{127});
  std::fill_n(problem.weight.begin(), kInt8InFeaturesMax, int8_t{-127});
  const std::vector<float> expected = problem.Expected();
  for (size_t machine : {0u, 3u, 6u, 9u}) {
    EXPECT_TRUE(SameBits(problem.Run(*Machines()[machine]->backend), expected))
        << Machines()[machine]->Name();
  }
}

TEST(Int8LinearTest, ActivationsAreThoseOfOtherWeights) {
  Random random(4);
  for (Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
    Int8Problem problem(random, 5, 30, 20);
    const std::vector<float> sums = problem.Expected();
    problem.activation = activation;
    std::string different;
    const std::vector<float> y =
        RunEverywhere([&](Backend& backend) { return problem.Run(backend); }, &different);
    EXPECT_EQ(different, "");
    for (size_t i = 0; i < y.size(); ++i) {
      const double v = sums[i];
      const double expected =
          activation == Activation::kSilu
              ? v / (1 + std::exp(-v))
              : 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
      EXPECT_NEAR(y[i], expected, 1e-6 * std::abs(v) + 1e-6);
    }
  }
}

// What is no number in a row is seen in that row's outputs, and in no other's.
TEST(Int8LinearTest, OddRows) {
  Random random(5);
  Int8Problem problem(random, 5, 40, 7);
  std::fill_n(problem.x.begin(), 40, 0.0f);
  std::fill_n(problem.x.begin() + 40, 40, 1e-38f);
  problem.x[2 * 40 + 17] = NAN;
  problem.x[3 * 40 + 39] = -INFINITY;
  std::string different;
  const std::vector<float> y =
      RunEverywhere([&](Backend& backend) { return problem.Run(backend); }, &different);
  EXPECT_EQ(different, "");
  for (int64_t o = 0; o < 7; ++o) {
    EXPECT_EQ(y[o], problem.bias[o]);
    EXPECT_EQ(y[7 + o], problem.bias[o]);
    EXPECT_TRUE(std::isnan(y[14 + o]));
    EXPECT_FALSE(std::isfinite(y[21 + o]));
    EXPECT_TRUE(std::isfinite(y[28 + o]));
  }
}

struct Bf16Problem {
  Bf16Problem(Random& random, int64_t row_count, int64_t in, int64_t out)
      : rows(row_count),
        in_features(in),
        out_features(out),
        x(random.Floats(rows * in), DType::kBf16),
        weight(random.Floats(in * out), DType::kBf16),
        bias(random.Floats(out)) {}

  std::vector<float> Run(Backend& backend) const {
    std::vector<float> y(static_cast<size_t>(rows * out_features), NAN);
    backend.Linear({.in = DevicePtr(x.wide.data()),
                    .rows = rows,
                    .weight = {.data = DevicePtr(weight.data()),
                               .dtype = DType::kBf16,
                               .out_features = out_features,
                               .in_features = in_features},
                    .bias = DevicePtr(bias.data()),
                    .out = DevicePtr(y.data())});
    return y;
  }

  int64_t rows, in_features, out_features;
  Values x;
  Values weight;
  std::vector<float> bias;
};

// With inputs that are bf16 already nothing is left but the rounding of sums.
TEST(AmxLinearTest, ProductsOfBf16MatchDoubles) {
  if (AmxMachines().empty()) GTEST_SKIP() << "no AMX";
  Random random(6);
  const int64_t shapes[][3] = {{1, 1, 1},     {40, 31, 33},  {33, 32, 64},  {70, 770, 31},
                               {5, 1700, 40}, {100, 64, 90}, {64, 767, 300}};
  for (const auto& shape : shapes) {
    const Bf16Problem problem(random, shape[0], shape[1], shape[2]);
    std::string different;
    const std::vector<float> y =
        RunOn(AmxMachines(), [&](Backend& backend) { return problem.Run(backend); }, &different);
    EXPECT_EQ(different, "");
    for (int64_t r = 0; r < problem.rows; ++r) {
      for (int64_t o = 0; o < problem.out_features; ++o) {
        double sum = problem.bias[o];
        double magnitude = std::abs(sum);
        for (int64_t i = 0; i < problem.in_features; ++i) {
          const double product = double{problem.x.wide[r * problem.in_features + i]} *
                                 problem.weight.wide[o * problem.in_features + i];
          sum += product;
          magnitude += std::abs(product);
        }
        ASSERT_NEAR(y[r * problem.out_features + o], sum, 1e-6 * magnitude + 1e-7)
            << problem.in_features << " deep, row " << r << " column " << o;
      }
    }
  }
}

TEST(AmxLinearTest, RowsAloneGiveTheBitsOfRowsStacked) {
  if (AmxMachines().empty()) GTEST_SKIP() << "no AMX";
  Random random(7);
  const Bf16Problem all(random, 100, 1777, 70);
  Backend& backend = *AmxMachines().back()->backend;
  const std::vector<float> stacked = all.Run(backend);
  for (int64_t begin = 0; begin < all.rows;) {
    const int64_t rows = std::min(random.Int(1, 40), all.rows - begin);
    Bf16Problem part = all;
    part.rows = rows;
    part.x.wide.erase(part.x.wide.begin(), part.x.wide.begin() + begin * 1777);
    const std::vector<float> expected(stacked.begin() + begin * 70,
                                      stacked.begin() + (begin + rows) * 70);
    EXPECT_TRUE(SameBits(part.Run(backend), expected)) << "rows from " << begin;
    begin += rows;
  }
}

// The blocks that rows come in do not show in the bits.
TEST(Int8LinearTest, RowsInSmallBlocksAreTheSame) {
  Random random(12);
  const Int8Problem problem(random, 200, 300, 70);
  const std::vector<float> whole = problem.Run(*Machine(2).backend);
  for (const int64_t rows : {1, 64, 200}) {
    const Machine machine(2, {.narrow_bytes = CpuNarrowBytes(rows, 300, DType::kI8)});
    EXPECT_EQ(problem.Run(*machine.backend), whole) << "room for " << rows;
  }
}

}  // namespace
}  // namespace longtake
