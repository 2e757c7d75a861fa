// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/backend/backend_testing.h"

namespace longtake {
namespace {

// One item with all its memory.
struct Problem {
  Problem(Random& random, int64_t row_count, int64_t key_count, int64_t head_count, int64_t dim,
          DType dtype)
      : rows(row_count),
        keys(key_count),
        heads(head_count),
        head_dim(dim),
        q(random.Floats(rows * Width(), 2.0f)),
        k(random.Floats(keys * Width(), 2.0f), dtype),
        v(random.Floats(keys * Width()), dtype),
        scale(1.0f / std::sqrt(static_cast<float>(dim))) {
    cuts = {keys};
  }
  int64_t Width() const { return heads * head_dim; }

  void AddRotary(Random& random) {
    rotary = random.Floats(keys * head_dim, 3.14f);
    for (size_t i = 0; i < rotary.size(); i += 2) {
      const float angle = rotary[i];
      rotary[i] = std::cos(angle);
      rotary[i + 1] = std::sin(angle);
    }
  }
  void CutAtRandom(Random& random) {
    cuts.clear();
    for (int64_t left = keys; left > 0; left -= cuts.back()) {
      cuts.push_back(random.Int(0, std::min<int64_t>(left, 90)));
    }
  }

  std::vector<KeySegment> Segments() const {
    std::vector<KeySegment> out;
    int64_t at = 0;
    for (int64_t length : cuts) {
      out.push_back({.k = DevicePtr(k.At(at * Width())),
                     .v = DevicePtr(v.At(at * Width())),
                     .dtype = k.dtype,
                     .rows = length,
                     .rotary = rotary.empty() ? DevicePtr<const float>()
                                              : DevicePtr(rotary.data() + at * head_dim)});
      at += length;
    }
    return out;
  }
  AttentionArgs Args(const std::vector<KeySegment>& segments, std::vector<float>& out) const {
    out.assign(q.size(), NAN);
    return {.q = DevicePtr(q.data()),
            .rows = rows,
            .heads = heads,
            .head_dim = head_dim,
            .keys = segments,
            .scale = scale,
            .bias = bias.empty() ? DevicePtr<const float>() : DevicePtr(bias.data()),
            .last_key_bias = last_key_bias,
            .out = DevicePtr(out.data())};
  }
  std::vector<float> Run(Backend& backend) const {
    std::vector<float> out;
    const std::vector<KeySegment> segments = Segments();
    const AttentionArgs args = Args(segments, out);
    backend.Attention({&args, 1});
    return out;
  }

  double Key(int64_t key, int64_t head, int64_t i) const {
    const float* x = k.wide.data() + key * Width() + head * head_dim;
    if (rotary.empty()) return x[i];
    const float* table = rotary.data() + key * head_dim + i / 2 * 2;
    const double c = table[0], s = table[1];
    const double a = x[i / 2 * 2], b = x[i / 2 * 2 + 1];
    return i % 2 == 0 ? a * c - b * s : a * s + b * c;
  }

  std::vector<double> Weights(int64_t row, int64_t head) const {
    std::vector<double> weights(static_cast<size_t>(keys));
    double sum = 0;
    for (int64_t key = 0; key < keys; ++key) {
      double dot = 0;
      for (int64_t i = 0; i < head_dim; ++i) {
        dot += double{q[row * Width() + head * head_dim + i]} * Key(key, head, i);
      }
      double logit = dot * scale;
      if (!bias.empty()) logit += bias[(head * rows + row) * keys + key];
      if (key == keys - 1) logit += last_key_bias;
      sum += weights[key] = std::exp(logit);
    }
    for (double& weight : weights) weight /= sum;
    return weights;
  }

  // Tolerance 4e-6 absolute: outputs are averages of values in [-1, 1]; logits up to 30 carry a
  // relative error of 1e-7 each.
  void ExpectCorrect(const std::vector<float>& out, double tolerance = 4e-6) const {
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t head = 0; head < heads; ++head) {
        const std::vector<double> weights = Weights(row, head);
        for (int64_t i = 0; i < head_dim; ++i) {
          const int64_t column = head * head_dim + i;
          double sum = 0;
          for (int64_t key = 0; key < keys; ++key) {
            sum += weights[key] * v.wide[key * Width() + column];
          }
          ASSERT_NEAR(out[row * Width() + column], sum, tolerance)
              << rows << " rows, " << keys << " keys, head_dim " << head_dim << ": row " << row
              << " column " << column;
        }
      }
    }
  }

  int64_t rows, keys, heads, head_dim;
  std::vector<float> q;
  Values k, v;
  float scale;
  std::vector<int64_t> cuts;  // lengths of the segments
  std::vector<float> rotary;
  std::vector<float> bias;
  float last_key_bias = 0.0f;
};

TEST(AttentionTest, RandomShapesMatchDoubles) {
  Random random(1);
  const int64_t dims[] = {4, 6, 8, 16, 24, 40, 64, 100, 128, 256, 384};
  for (int i = 0; i < 40; ++i) {
    Problem problem(random, random.Int(1, i % 8 == 0 ? 200 : 30), random.Int(1, i % 4 ? 80 : 300),
                    random.Int(1, 3), dims[i % 11], i % 3 == 0 ? DType::kF32 : DType::kBf16);
    if (i % 2 == 0) problem.AddRotary(random);
    if (i % 5 == 0) problem.bias = random.Floats(problem.heads * problem.rows * problem.keys, 3.0f);
    if (i % 7 == 0) problem.last_key_bias = 4.5f;
    problem.CutAtRandom(random);
    std::string different;
    const std::vector<float> out =
        RunEverywhere([&](Backend& backend) { return problem.Run(backend); }, &different);
    EXPECT_EQ(different, "");
    problem.ExpectCorrect(out);
  }
}

// More queries than one task holds.
TEST(AttentionTest, ManyQueriesMatchDoubles) {
  Random random(2);
  const Problem problem(random, 950, 70, 1, 8, DType::kBf16);
  std::string different;
  problem.ExpectCorrect(
      RunEverywhere([&](Backend& backend) { return problem.Run(backend); }, &different));
  EXPECT_EQ(different, "");
}

TEST(AttentionTest, TheCutIntoSegmentsNeverShows) {
  Random random(3);
  Problem problem(random, 20, 290, 2, 24, DType::kBf16);
  problem.AddRotary(random);
  Backend& backend = *Machines().back()->backend;
  const std::vector<float> whole = problem.Run(backend);
  for (int i = 0; i < 20; ++i) {
    problem.CutAtRandom(random);
    EXPECT_TRUE(SameBits(problem.Run(backend), whole));
  }
}

TEST(AttentionTest, AnItemAloneGivesTheBitsOfAnItemAmongOthers) {
  Random random(4);
  std::vector<Problem> problems;
  for (int i = 0; i < 7; ++i) {
    problems.emplace_back(random, random.Int(1, 90), random.Int(1, 200), random.Int(1, 4),
                          2 * random.Int(2, 40), i % 2 ? DType::kBf16 : DType::kF32);
  }
  for (const auto& machine : Machines()) {
    std::vector<std::vector<float>> outs(problems.size());
    std::vector<std::vector<KeySegment>> segments;
    std::vector<AttentionArgs> items;
    for (const Problem& problem : problems) segments.push_back(problem.Segments());
    for (size_t i = 0; i < problems.size(); ++i) {
      items.push_back(problems[i].Args(segments[i], outs[i]));
    }
    machine->backend->Attention(items);
    for (size_t i = 0; i < problems.size(); ++i) {
      EXPECT_TRUE(SameBits(outs[i], problems[i].Run(*machine->backend))) << machine->Name();
    }
  }
}

TEST(AttentionTest, RowsAloneGiveTheBitsOfRowsTogether) {
  Random random(5);
  const Problem all(random, 61, 150, 2, 16, DType::kBf16);
  Backend& backend = *Machines().back()->backend;
  const std::vector<float> together = all.Run(backend);
  for (int64_t row = 0; row < all.rows; row += 7) {
    Problem one = all;
    one.rows = 1;
    one.q.assign(all.q.begin() + row * 32, all.q.begin() + (row + 1) * 32);
    const std::vector<float> expected(together.begin() + row * 32,
                                      together.begin() + (row + 1) * 32);
    EXPECT_TRUE(SameBits(one.Run(backend), expected)) << "row " << row;
  }
}

// Logits of many hundreds, equal keys, and biases that switch keys off.
TEST(AttentionTest, ExtremeLogits) {
  Random random(6);
  Problem problem(random, 5, 130, 1, 16, DType::kF32);
  problem.scale = 40.0f;
  const std::vector<float> out = problem.Run(*Machines().back()->backend);
  for (float x : out) EXPECT_TRUE(std::abs(x) <= 1.0f) << x;

  problem.scale = 1.0f;
  problem.bias.assign(static_cast<size_t>(5 * 130), -INFINITY);
  for (int64_t row = 0; row < 5; ++row) problem.bias[row * 130 + 100] = 0.0f;
  std::string different;
  const std::vector<float> single =
      RunEverywhere([&](Backend& backend) { return problem.Run(backend); }, &different);
  EXPECT_EQ(different, "");
  for (int64_t row = 0; row < 5; ++row) {
    for (int64_t i = 0; i < 16; ++i) EXPECT_EQ(single[row * 16 + i], problem.v.wide[1600 + i]);
  }
}

// Spec 2.3: one key with ln(n) added stands for n equal keys.
TEST(AttentionTest, LastKeyBiasStandsForEqualKeys) {
  Random random(7);
  Problem repeated(random, 10, 100, 2, 8, DType::kF32);
  for (int64_t key = 60; key < 100; ++key) {
    for (int64_t i = 0; i < 16; ++i) {
      repeated.k.wide[key * 16 + i] = repeated.k.wide[59 * 16 + i];
      repeated.v.wide[key * 16 + i] = repeated.v.wide[59 * 16 + i];
    }
  }
  Problem collapsed = repeated;
  collapsed.keys = 60;
  collapsed.cuts = {60};
  collapsed.last_key_bias = std::log(41.0f);
  Backend& backend = *Machines().front()->backend;
  const std::vector<float> a = repeated.Run(backend), b = collapsed.Run(backend);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 2e-6);
}

// A problem whose factors are bf16 already, without rotation: what is left is the rounding of the
// weights, 2^-9 of each, and values in [-1, 1].
TEST(AttentionTest, TiledProfileMatchesDoubles) {
  if (AmxMachines().empty()) GTEST_SKIP() << "no AMX";
  Random random(8);
  const int64_t dims[] = {4, 16, 24, 40, 64, 100, 128};
  for (int i = 0; i < 30; ++i) {
    Problem problem(random, random.Int(1, i % 8 == 0 ? 1100 : 70), random.Int(1, i % 4 ? 90 : 400),
                    random.Int(1, 3), dims[i % 7], DType::kBf16);
    problem.q = Values(problem.q, DType::kBf16).wide;
    if (i % 3 == 0) problem.last_key_bias = 4.5f;
    problem.CutAtRandom(random);
    std::string different;
    const std::vector<float> out =
        RunOn(AmxMachines(), [&](Backend& backend) { return problem.Run(backend); }, &different);
    EXPECT_EQ(different, "");
    problem.ExpectCorrect(out, 0x1p-9);
  }
}

// Rotated keys and fp32 ones are rounded to bf16: an error of 2^-9 in each factor of a logit.
TEST(AttentionTest, TiledProfileRotates) {
  if (AmxMachines().empty()) GTEST_SKIP() << "no AMX";
  Random random(9);
  for (DType dtype : {DType::kF32, DType::kBf16}) {
    Problem problem(random, 50, 300, 2, 64, dtype);
    problem.AddRotary(random);
    problem.ExpectCorrect(problem.Run(*AmxMachines().front()->backend), 0.02);
  }
}

TEST(AttentionTest, TiledProfileGivesRowsTheirBits) {
  if (AmxMachines().empty()) GTEST_SKIP() << "no AMX";
  Random random(10);
  Problem all(random, 1100, 290, 2, 16, DType::kBf16);
  all.AddRotary(random);
  Backend& backend = *AmxMachines().back()->backend;
  const std::vector<float> together = all.Run(backend);
  for (int64_t row = 0; row < all.rows; row += 97) {
    Problem one = all;
    one.CutAtRandom(random);
    one.rows = 1;
    one.q.assign(all.q.begin() + row * 32, all.q.begin() + (row + 1) * 32);
    const std::vector<float> expected(together.begin() + row * 32,
                                      together.begin() + (row + 1) * 32);
    EXPECT_TRUE(SameBits(one.Run(backend), expected)) << "row " << row;
  }
}

}  // namespace
}  // namespace longtake
