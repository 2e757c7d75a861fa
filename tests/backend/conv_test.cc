// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Convolution and channel norm against plain double loops, and the promise that neither threads nor
// the instruction set change a bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "base/philox.h"
#include "base/worker_pool.h"
#include "engine/backend/backend.h"
#include "engine/backend/cpu/conv_plan.h"

namespace longtake {
namespace {

struct Case {
  std::string name;
  ConvShape shape;
  int64_t in_h = 1;
  int64_t in_w = 1;
  int64_t frames = 1;  // of output; input frames before the first are zeros
  int64_t stride = 1;
  int64_t pad_top = 0;
  int64_t pad_left = 0;
  int64_t pad_bottom = 0;
  int64_t pad_right = 0;
  bool upsample = false;
  bool accumulate = false;
  bool bf16 = false;
  bool bias = true;

  int64_t InH() const { return upsample ? 2 * in_h : in_h; }
  int64_t InW() const { return upsample ? 2 * in_w : in_w; }
  int64_t OutH() const { return (InH() + pad_top + pad_bottom - shape.taps_h) / stride + 1; }
  int64_t OutW() const { return (InW() + pad_left + pad_right - shape.taps_w) / stride + 1; }
  int64_t OutFloats() const { return OutH() * OutW() * shape.out_channels; }
  int64_t InFloats() const { return in_h * in_w * shape.in_channels; }
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

Case Same3x3x3(std::string name, int64_t out, int64_t in, int64_t h, int64_t w) {
  return {.name = std::move(name),
          .shape = {out, in, 3, 3, 3},
          .in_h = h,
          .in_w = w,
          .frames = 3,
          .pad_top = 1,
          .pad_left = 1,
          .pad_bottom = 1,
          .pad_right = 1};
}

std::vector<Case> Cases() {
  std::vector<Case> cases = {
      Same3x3x3("one_to_one", 1, 1, 1, 1),  Same3x3x3("rgb_in", 8, 3, 5, 7),
      Same3x3x3("rgb_out", 3, 8, 9, 31),    Same3x3x3("eight", 8, 8, 33, 50),
      Same3x3x3("seventeen", 17, 9, 4, 25), Same3x3x3("thirty", 30, 13, 6, 29),
      Same3x3x3("wide", 32, 32, 12, 20),    Same3x3x3("sixteen", 16, 16, 11, 97),
      Same3x3x3("many", 48, 200, 7, 53),    Same3x3x3("three", 3, 3, 4, 6),
  };
  Case one = {.name = "pointwise", .shape = {20, 24, 1, 1, 1}, .in_h = 5, .in_w = 9, .frames = 2};
  cases.push_back(one);
  one.name = "pointwise_accumulate";
  one.accumulate = true;
  cases.push_back(one);
  Case accumulate = Same3x3x3("accumulate", 24, 16, 10, 40);
  accumulate.accumulate = true;
  cases.push_back(accumulate);
  Case bf16 = Same3x3x3("bf16_without_bias", 16, 8, 6, 12);
  bf16.bf16 = true;
  bf16.bias = false;
  cases.push_back(bf16);
  cases.push_back(
      {.name = "time_only", .shape = {32, 16, 3, 1, 1}, .in_h = 6, .in_w = 10, .frames = 3});
  Case up = {.name = "upsample",
             .shape = {8, 16, 1, 3, 3},
             .in_h = 6,
             .in_w = 17,
             .frames = 2,
             .pad_top = 1,
             .pad_left = 1,
             .pad_bottom = 1,
             .pad_right = 1,
             .upsample = true};
  cases.push_back(up);
  cases.push_back({.name = "down_even",
                   .shape = {8, 8, 1, 3, 3},
                   .in_h = 12,
                   .in_w = 50,
                   .frames = 2,
                   .stride = 2,
                   .pad_bottom = 1,
                   .pad_right = 1});
  cases.push_back({.name = "down_odd",
                   .shape = {16, 5, 1, 3, 3},
                   .in_h = 13,
                   .in_w = 27,
                   .stride = 2,
                   .pad_bottom = 1,
                   .pad_right = 1});
  cases.push_back({.name = "stride_3_wide_taps",
                   .shape = {9, 4, 2, 2, 5},
                   .in_h = 11,
                   .in_w = 40,
                   .frames = 2,
                   .stride = 3,
                   .pad_top = 1,
                   .pad_left = 4});
  return cases;
}

std::vector<float> Normal(uint64_t stream, int64_t count) {
  std::vector<float> out(count);
  PhiloxNormal(11, stream, 0, out);
  return out;
}

class ConvTest : public ::testing::TestWithParam<Case> {
 protected:
  ConvTest() {
    const Case& c = GetParam();
    const int64_t taps = c.shape.taps_t * c.shape.taps_h * c.shape.taps_w;
    weights_ = Normal(1, c.shape.out_channels * c.shape.in_channels * taps);
    if (c.bf16) {
      for (float& w : weights_) {
        weights_bf16_.push_back(FloatToBf16(w));
        w = Bf16ToFloat(weights_bf16_.back());
      }
    }
    bias_ = Normal(2, c.shape.out_channels);
    input_ = Normal(3, c.frames * c.InFloats());
    previous_ = Normal(4, c.frames * c.OutFloats());
  }

  // Frame t of the input; null before the first.
  DevicePtr<const float> Input(int64_t t) const {
    if (t < 0) return {};
    return DevicePtr(input_.data() + t * GetParam().InFloats());
  }

  std::vector<float> Run(int threads, const std::string& instruction_set, bool one_by_one = false) {
    const Case& c = GetParam();
    WorkerPool workers(threads);
    absl::StatusOr<std::unique_ptr<Backend>> backend =
        CreateCpuBackend(workers, {.instruction_set_max = instruction_set});
    if (!backend.ok()) return {};
    const auto packed = c.bf16 ? (*backend)->PackConv(c.shape, weights_bf16_.data(), DType::kBf16,
                                                      c.bias ? bias_.data() : nullptr)
                               : (*backend)->PackConv(c.shape, weights_.data(), DType::kF32,
                                                      c.bias ? bias_.data() : nullptr);
    if (!packed.ok()) return {};
    const std::unique_ptr<ConvWeights>& weights = *packed;
    std::vector<float> out = previous_;
    std::vector<std::vector<DevicePtr<const float>>> inputs(c.frames);
    std::vector<ConvFrame> frames;
    for (int64_t f = 0; f < c.frames; ++f) {
      for (int64_t t = 0; t < c.shape.taps_t; ++t) {
        inputs[f].push_back(Input(f + t - c.shape.taps_t + 1));
      }
      frames.push_back({.in = inputs[f], .out = DevicePtr(out.data() + f * c.OutFloats())});
    }
    ConvArgs args = {.weights = weights.get(),
                     .frames = {},
                     .in_h = c.in_h,
                     .in_w = c.in_w,
                     .stride = c.stride,
                     .pad_top = c.pad_top,
                     .pad_left = c.pad_left,
                     .pad_bottom = c.pad_bottom,
                     .pad_right = c.pad_right,
                     .upsample = c.upsample,
                     .accumulate = c.accumulate};
    const size_t step = one_by_one ? 1 : frames.size();
    for (size_t first = 0; first < frames.size(); first += step) {
      args.frames = std::span(frames).subspan(first, step);
      (*backend)->Conv(args);
    }
    return out;
  }

  double Tap(int64_t frame, int64_t channel, int64_t y, int64_t x, int64_t tap) const {
    const Case& c = GetParam();
    const int64_t t = frame + tap / (c.shape.taps_h * c.shape.taps_w) - c.shape.taps_t + 1;
    const int64_t row = y * c.stride - c.pad_top + tap / c.shape.taps_w % c.shape.taps_h;
    const int64_t column = x * c.stride - c.pad_left + tap % c.shape.taps_w;
    if (t < 0 || row < 0 || column < 0 || row >= c.InH() || column >= c.InW()) return 0.0;
    const int64_t scale = c.upsample ? 2 : 1;
    const float* pixel =
        Input(t).address() + (row / scale * c.in_w + column / scale) * c.shape.in_channels;
    const int64_t taps = c.shape.taps_t * c.shape.taps_h * c.shape.taps_w;
    double sum = 0.0;
    for (int64_t i = 0; i < c.shape.in_channels; ++i) {
      sum += static_cast<double>(pixel[i]) *
             weights_[(channel * c.shape.in_channels + i) * taps + tap];
    }
    return sum;
  }

  std::vector<double> Oracle() const {
    const Case& c = GetParam();
    const int64_t taps = c.shape.taps_t * c.shape.taps_h * c.shape.taps_w;
    std::vector<double> out;
    for (int64_t i = 0; i < c.frames * c.OutFloats(); ++i) {
      const int64_t channel = i % c.shape.out_channels;
      const int64_t pixel = i / c.shape.out_channels;
      const int64_t x = pixel % c.OutW();
      const int64_t y = pixel / c.OutW() % c.OutH();
      const int64_t frame = pixel / c.OutW() / c.OutH();
      double sum = c.accumulate ? previous_[i] : 0.0;
      if (c.bias) sum += bias_[channel];
      for (int64_t tap = 0; tap < taps; ++tap) sum += Tap(frame, channel, y, x, tap);
      out.push_back(sum);
    }
    return out;
  }

  std::vector<float> weights_, bias_, input_, previous_;
  std::vector<uint16_t> weights_bf16_;
};

double RelativeError(const std::vector<float>& values, const std::vector<double>& expected) {
  double difference = 0.0;
  double norm = 0.0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (values[i] - expected[i]) * (values[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return std::sqrt(difference / norm);
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST_P(ConvTest, MatchesPlainLoops) {
  const std::vector<float> out = Run(2, "");
  const std::vector<double> expected = Oracle();
  ASSERT_EQ(out.size(), expected.size());
  EXPECT_LT(RelativeError(out, expected), 3e-6);  // of chains up to 5400 long
}

TEST_P(ConvTest, ThreadsAndInstructionSetsKeepTheBits) {
  const std::vector<float> out = Run(1, "");
  EXPECT_TRUE(SameBits(out, Run(3, "")));
  EXPECT_TRUE(SameBits(out, Run(1, "x86-64-v3")));
  EXPECT_TRUE(SameBits(out, Run(8, "x86-64-v3")));
}

// Other groups of frames, so another cut into tasks.
TEST_P(ConvTest, FramesAloneGiveTheBitsOfFramesTogether) {
  EXPECT_TRUE(SameBits(Run(2, ""), Run(2, "", true)));
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvTest, ::testing::ValuesIn(Cases()),
                         [](const auto& c) { return c.param.name; });

// The cases above must reach what they are for: groups of frames cut apart, and blocks of columns.
TEST(ConvPlanTest, LargeChannelCountsAreCutToFit) {
  const std::vector<float> weights(384 * 384 * 27);
  const auto owned = PackedConv::Create({384, 384, 3, 3, 3}, weights.data(), DType::kF32, nullptr);
  ASSERT_TRUE(owned.ok());
  const PackedConv& packed = **owned;
  float frames_in[4] = {};
  const std::vector<DevicePtr<const float>> in = {
      DevicePtr(frames_in + 0), DevicePtr(frames_in + 1), DevicePtr(frames_in + 2)};
  const std::vector<ConvFrame> frames = {{.in = in}};
  const ConvPlan plan = PlanConv({.weights = &packed,
                                  .frames = frames,
                                  .in_h = 60,
                                  .in_w = 104,
                                  .pad_top = 1,
                                  .pad_left = 1,
                                  .pad_bottom = 1,
                                  .pad_right = 1},
                                 packed, 2);
  EXPECT_TRUE(plan.split_time);
  EXPECT_EQ(plan.inputs, 1);
  EXPECT_GT(plan.column_blocks, 1);
  EXPECT_LE(plan.scratch_floats * 4, 512 * 1024);
  EXPECT_GE(plan.row_block * plan.row_blocks, 60);
  EXPECT_GE(plan.column_block * plan.column_blocks, 104);
}

// What a backend takes at its start is enough for every picture.
TEST(ConvPlanTest, NoTaskTakesMoreThanIsSaid) {
  int64_t largest = 0;
  for (const ConvShape& shape : std::vector<ConvShape>{{3, 96, 3, 3, 3},
                                                       {96, 384, 1, 3, 3},
                                                       {768, 384, 3, 1, 1},
                                                       {384, 384, 3, 3, 3},
                                                       {1024, 1024, 3, 3, 3},
                                                       {24, 1536, 3, 3, 3},
                                                       {5, 700, 3, 3, 3},
                                                       {512, 1100, 1, 3, 3}}) {
    const std::vector<float> values(shape.out_channels * shape.in_channels * shape.taps_t *
                                    shape.taps_h * shape.taps_w);
    const auto owned = PackedConv::Create(shape, values.data(), DType::kF32, nullptr);
    ASSERT_TRUE(owned.ok());
    const int64_t most = ConvScratchFloatsMax(**owned);
    std::vector<float> inputs(12);
    for (int64_t count = 1; count <= 8; count += 3) {
      std::vector<std::vector<DevicePtr<const float>>> in(count);
      std::vector<ConvFrame> frames;
      for (int64_t f = 0; f < count; ++f) {
        for (int64_t t = 0; t < shape.taps_t; ++t) in[f].push_back(DevicePtr(&inputs[f + t]));
        frames.push_back({.in = in[f]});
      }
      for (const int64_t side : {1, 7, 16, 25, 60, 301, 1024}) {
        for (const int64_t stride : {1, 2}) {
          if (stride == 2 && shape.taps_t > 1) continue;
          const ConvArgs args = {.weights = owned->get(),
                                 .frames = frames,
                                 .in_h = side,
                                 .in_w = side + 3,
                                 .stride = stride,
                                 .pad_top = 1,
                                 .pad_left = 1,
                                 .pad_bottom = 1,
                                 .pad_right = 1,
                                 .upsample = stride == 1 && side == 60};
          const int64_t taken = PlanConv(args, **owned, 2).scratch_floats;
          ASSERT_LE(taken, most) << shape.in_channels << " channels, side " << side;
          largest = std::max(largest, taken);
        }
      }
    }
  }
  EXPECT_GT(largest, kConvScratchFloats) << "no case was beyond the usual";
}

TEST(ConvPlanTest, WhatNoTaskHasRoomForIsRefusedWhenItIsPacked) {
  WorkerPool workers(1);
  const auto backend = CreateCpuBackend(workers);
  ASSERT_TRUE(backend.ok());
  const std::vector<float> values(int64_t{8} * 8000 * 9);
  const auto packed = (*backend)->PackConv({8, 8000, 1, 3, 3}, values.data(), DType::kF32, nullptr);
  EXPECT_EQ(packed.status().code(), absl::StatusCode::kFailedPrecondition) << packed.status();
  EXPECT_THAT(std::string(packed.status().message()),
              ::testing::HasSubstr("from 8000 to 8 channels"));
}

struct NormCase {
  int64_t rows;
  int64_t width;
  bool silu;
};

class ChannelNormSizes : public ::testing::TestWithParam<NormCase> {};

std::vector<float> RunNorm(const NormCase& c, int threads, const std::string& instruction_set) {
  WorkerPool workers(threads);
  absl::StatusOr<std::unique_ptr<Backend>> backend =
      CreateCpuBackend(workers, {.instruction_set_max = instruction_set});
  if (!backend.ok()) return {};
  std::vector<float> x = Normal(5, c.rows * c.width);
  std::fill_n(x.begin(), c.width, 0.0f);  // the first row has no length
  const std::vector<float> gamma = Normal(6, c.width);
  (*backend)->ChannelNorm({.in = DevicePtr(x.data()),
                           .rows = c.rows,
                           .width = c.width,
                           .gamma = DevicePtr(gamma.data()),
                           .silu = c.silu,
                           .out = DevicePtr(x.data())});
  return x;
}

std::vector<double> NormOracle(const NormCase& c) {
  std::vector<float> x = Normal(5, c.rows * c.width);
  std::fill_n(x.begin(), c.width, 0.0f);
  const std::vector<float> gamma = Normal(6, c.width);
  std::vector<double> out;
  for (int64_t row = 0; row < c.rows; ++row) {
    double squares = 0.0;
    for (int64_t i = 0; i < c.width; ++i) {
      squares += static_cast<double>(x[row * c.width + i]) * x[row * c.width + i];
    }
    for (int64_t i = 0; i < c.width; ++i) {
      const double y = x[row * c.width + i] / std::max(std::sqrt(squares), 1e-12) *
                       std::sqrt(static_cast<double>(c.width)) * gamma[i];
      out.push_back(c.silu ? y / (1.0 + std::exp(-y)) : y);
    }
  }
  return out;
}

TEST_P(ChannelNormSizes, MatchesPlainLoops) {
  EXPECT_LT(RelativeError(RunNorm(GetParam(), 2, ""), NormOracle(GetParam())), 1e-6);
}

TEST_P(ChannelNormSizes, ThreadsAndInstructionSetsKeepTheBits) {
  const std::vector<float> out = RunNorm(GetParam(), 1, "");
  EXPECT_TRUE(SameBits(out, RunNorm(GetParam(), 3, "")));
  EXPECT_TRUE(SameBits(out, RunNorm(GetParam(), 2, "x86-64-v3")));
}

// Not only in the lanes where it came in: the length of its row is no number either.
TEST(ChannelNormTest, ANanSpreadsOverItsRow) {
  for (const char* instruction_set : {"", "x86-64-v3"}) {
    WorkerPool workers(1);
    const auto backend = CreateCpuBackend(workers, {.instruction_set_max = instruction_set});
    if (!backend.ok()) continue;
    std::vector<float> x(48, 1.0f);
    x[20] = NAN;
    const std::vector<float> gamma(16, 1.0f);
    (*backend)->ChannelNorm({.in = DevicePtr(x.data()),
                             .rows = 3,
                             .width = 16,
                             .gamma = DevicePtr(gamma.data()),
                             .out = DevicePtr(x.data())});
    for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(std::isnan(x[i]), i / 16 == 1) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, ChannelNormSizes,
                         ::testing::Values(NormCase{3, 1, true}, NormCase{13, 3, true},
                                           NormCase{5001, 8, true}, NormCase{77, 8, false},
                                           NormCase{41, 12, true}, NormCase{300, 16, false},
                                           NormCase{129, 96, true}, NormCase{50, 387, true}));

}  // namespace
}  // namespace longtake
