// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Own CUDA kernels against the CPU's ops: the same bits where the operations are the same, else
// within rounding. On the host in several orders of their threads, which must not show; the same
// program is built for a GPU.
#include "engine/backend/cuda/kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/backend/backend_testing.h"
#include "tests/cuda/kernel_runner.h"

namespace longtake {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Of exactly so many values, so that a sanitizer sees who leaves them.
template <typename T>
using KernelValues = std::vector<T, KernelAllocator<T>>;
using Floats = KernelValues<float>;

template <typename T>
bool SameBytes(const KernelValues<T>& a, const KernelValues<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// What run leaves in a copy of the values, in every order.
template <typename T>
KernelValues<T> InEveryOrder(const KernelValues<T>& values, const std::function<void(T*)>& run) {
  KernelValues<T> first;
  for (const uint64_t seed : {0, 1, 7}) {
    KernelValues<T> out = values;
    RunKernels(seed, [&] { run(out.data()); });
    if (seed == 0) first = out;
    EXPECT_TRUE(SameBytes(first, out)) << "threads in order " << seed;
  }
  return first;
}

// Of a row's largest value, as sums are rounded in another order.
void ExpectNear(const Floats& actual, const Floats& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  float most = 0;
  for (const float x : expected) most = std::max(most, std::fabs(x));
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_LE(std::fabs(actual[i] - expected[i]), 3e-6f * most) << i;
  }
}

class KernelsTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string why = WhyNoKernelsRun();
    if (why.empty()) return;
    if (std::getenv("LONGTAKE_REQUIRE_GPU") != nullptr) GTEST_FAIL() << why;
    GTEST_SKIP() << why;
  }
  Floats Draw(int64_t count, float scale = 3.0f) {
    const std::vector<float> drawn = random_.Floats(count, scale);
    return {drawn.begin(), drawn.end()};
  }
  static Floats Unwritten(int64_t count) { return Floats(static_cast<size_t>(count), kNan); }

  Random random_{5};
  Machine cpu_{1};
  Backend& ops_ = *cpu_.backend;
};

TEST_F(KernelsTest, LayerNormOfGroups) {
  for (const int64_t width : {1, 7, 256, 300, 1536}) {
    constexpr int64_t kRows = 6;
    const auto in = Draw(kRows * width);
    const auto gain = Draw(3 * (width + 1));
    const auto bias = Draw(3 * (width + 1));
    for (const bool modulates : {true, false}) {
      const int64_t group_rows = modulates ? 2 : kRows;
      const int64_t stride = modulates ? width + 1 : 0;
      auto expected = Unwritten(kRows * width);
      if (modulates) {
        ops_.LayerNormModulate({.in = DevicePtr(in.data()),
                                .rows = kRows,
                                .width = width,
                                .eps = 1e-5f,
                                .shift = DevicePtr(bias.data()),
                                .scale = DevicePtr(gain.data()),
                                .group_rows = group_rows,
                                .group_stride = stride,
                                .out = DevicePtr(expected.data())});
      } else {
        ops_.LayerNorm({.in = DevicePtr(in.data()),
                        .rows = kRows,
                        .width = width,
                        .eps = 1e-5f,
                        .gain = DevicePtr(gain.data()),
                        .bias = DevicePtr(bias.data()),
                        .out = DevicePtr(expected.data())});
      }
      cuda::LayerNormTask task = {.in = in.data(),
                                  .rows = kRows,
                                  .width = width,
                                  .eps = 1e-5f,
                                  .gain = gain.data(),
                                  .bias = bias.data(),
                                  .gain_offset = modulates ? 1.0f : 0.0f,
                                  .group_rows = group_rows,
                                  .group_stride = stride};
      ExpectNear(InEveryOrder<float>(Unwritten(kRows * width),
                                     [&](float* out) {
                                       task.out = out;
                                       cuda::LayerNorm(task, nullptr);
                                     }),
                 expected);
      ExpectNear(InEveryOrder<float>(in,
                                     [&](float* x) {
                                       task.in = x;
                                       task.out = x;
                                       cuda::LayerNorm(task, nullptr);
                                     }),
                 expected);
    }
  }
}

TEST_F(KernelsTest, RmsNorm) {
  for (const int64_t width : {1, 24, 257, 1536}) {
    constexpr int64_t kRows = 5;
    const auto in = Draw(kRows * width);
    const auto gain = Draw(width);
    auto expected = Unwritten(kRows * width);
    ops_.RmsNorm({.in = DevicePtr(in.data()),
                  .rows = kRows,
                  .width = width,
                  .eps = 1e-6f,
                  .gain = DevicePtr(gain.data()),
                  .out = DevicePtr(expected.data())});
    ExpectNear(InEveryOrder<float>(in,
                                   [&](float* x) {
                                     cuda::RmsNorm({.in = x,
                                                    .rows = kRows,
                                                    .width = width,
                                                    .eps = 1e-6f,
                                                    .gain = gain.data(),
                                                    .out = x},
                                                   nullptr);
                                   }),
               expected);
  }
}

TEST_F(KernelsTest, ChannelNorm) {
  for (const int64_t width : {3, 8, 96, 384}) {
    for (const bool silu : {true, false}) {
      constexpr int64_t kRows = 19;  // two blocks and a part of a third
      auto in = Draw(kRows * width);
      std::fill_n(in.begin(), width, 0.0f);
      const auto gamma = Draw(width);
      auto expected = Unwritten(kRows * width);
      ops_.ChannelNorm({.in = DevicePtr(in.data()),
                        .rows = kRows,
                        .width = width,
                        .gamma = DevicePtr(gamma.data()),
                        .silu = silu,
                        .out = DevicePtr(expected.data())});
      ExpectNear(InEveryOrder<float>(Unwritten(kRows * width),
                                     [&](float* out) {
                                       cuda::ChannelNorm(
                                           {.in = in.data(),
                                            .rows = kRows,
                                            .width = width,
                                            .gamma = gamma.data(),
                                            .root_width = std::sqrt(static_cast<float>(width)),
                                            .silu = silu,
                                            .out = out},
                                           nullptr);
                                     }),
                 expected);
    }
  }
}

TEST_F(KernelsTest, ANormOfNanIsNan) {
  const Floats in = {1.0f, kNan, 2.0f};
  const Floats ones(3, 1.0f);
  for (const float x : InEveryOrder<float>(in, [&](float* out) {
         cuda::ChannelNorm({.in = in.data(),
                            .rows = 1,
                            .width = 3,
                            .gamma = ones.data(),
                            .root_width = 1.7f,
                            .out = out},
                           nullptr);
       })) {
    EXPECT_TRUE(std::isnan(x));
  }
}

TEST_F(KernelsTest, RotaryHasTheBitsOfTheCpu) {
  constexpr int64_t kRows = 4;
  for (const int64_t head_dim : {2, 24, 128}) {
    for (const int64_t heads : {1, 3}) {
      const auto x = Draw(kRows * heads * head_dim);
      const auto table = Draw(kRows * head_dim, 1.0f);
      auto expected = x;
      ops_.Rotary({.x = DevicePtr(expected.data()),
                   .rows = kRows,
                   .heads = heads,
                   .head_dim = head_dim,
                   .table = DevicePtr(table.data())});
      EXPECT_TRUE(SameBytes(InEveryOrder<float>(x,
                                                [&](float* out) {
                                                  cuda::Rotary({.x = out,
                                                                .rows = kRows,
                                                                .heads = heads,
                                                                .head_dim = head_dim,
                                                                .table = table.data()},
                                                               nullptr);
                                                }),
                            expected));
    }
  }
}

TEST_F(KernelsTest, GatedAddHasTheBitsOfTheCpu) {
  constexpr int64_t kRows = 6;
  for (const int64_t width : {5, 256, 700}) {
    const auto x = Draw(kRows * width);
    const auto y = Draw(kRows * width);
    const auto gate = Draw(3 * (width + 2));
    for (const float* gates : {gate.data(), static_cast<const float*>(nullptr)}) {
      auto expected = x;
      ops_.GatedAdd({.x = DevicePtr(expected.data()),
                     .y = DevicePtr(y.data()),
                     .rows = kRows,
                     .width = width,
                     .gate = DevicePtr(gates),
                     .group_rows = 2,
                     .group_stride = width + 2});
      EXPECT_TRUE(SameBytes(InEveryOrder<float>(x,
                                                [&](float* out) {
                                                  cuda::GatedAdd({.x = out,
                                                                  .y = y.data(),
                                                                  .rows = kRows,
                                                                  .width = width,
                                                                  .gate = gates,
                                                                  .group_rows = 2,
                                                                  .group_stride = width + 2},
                                                                 nullptr);
                                                }),
                            expected));
    }
  }
}

TEST_F(KernelsTest, AddTableHasTheBitsOfTheCpu) {
  constexpr int64_t kRows = 3;
  for (const int64_t in_width : {4, 300}) {
    const int64_t width = 6 * in_width;
    const auto in = Draw(kRows * in_width);
    const auto table = Draw(width);
    auto expected = Unwritten(kRows * width);
    ops_.AddTable({.in = DevicePtr(in.data()),
                   .rows = kRows,
                   .in_width = in_width,
                   .table = DevicePtr(table.data()),
                   .width = width,
                   .out = DevicePtr(expected.data())});
    EXPECT_TRUE(SameBytes(InEveryOrder<float>(Unwritten(kRows * width),
                                              [&](float* out) {
                                                cuda::AddTable({.in = in.data(),
                                                                .rows = kRows,
                                                                .in_width = in_width,
                                                                .table = table.data(),
                                                                .width = width,
                                                                .out = out},
                                                               nullptr);
                                              }),
                          expected));
  }
}

TEST_F(KernelsTest, StoreRowsHasTheBitsOfTheCpu) {
  constexpr int64_t kRows = 3;
  for (const int64_t width : {5, 512}) {
    auto in = Draw(kRows * width);
    in[0] = kNan;
    in[1] = std::numeric_limits<float>::infinity();
    in[2] = std::numeric_limits<float>::max();
    in[3] = 1.00390625f;  // half way between two, of which the lower is even
    for (const DType dtype : {DType::kF32, DType::kBf16}) {
      const auto bytes = static_cast<size_t>(kRows * width) * DTypeBytes(dtype);
      KernelValues<std::byte> expected(bytes);
      const RowPiece piece = {.out = DevicePtr(expected.data()), .rows = kRows};
      ops_.StoreRows(
          {.in = DevicePtr(in.data()), .width = width, .dtype = dtype, .out = {&piece, 1}});
      EXPECT_EQ(InEveryOrder<std::byte>(KernelValues<std::byte>(bytes),
                                        [&](std::byte* out) {
                                          cuda::StoreRows({.in = in.data(),
                                                           .rows = kRows,
                                                           .width = width,
                                                           .bf16 = dtype == DType::kBf16,
                                                           .out = out},
                                                          nullptr);
                                        }),
                expected);
    }
  }
}

// Of keys that come in either type, rotated or not: what is rotated was rounded before.
TEST_F(KernelsTest, GatherKeysRoundsRotatesAndRepeats) {
  constexpr int64_t kRows = 3;
  constexpr int64_t kHeads = 2;
  for (const int64_t head_dim : {6, 128, 300}) {
    const int64_t width = kHeads * head_dim;
    auto in = Draw(kRows * width);
    in[0] = kNan;
    const auto table = Draw(kRows * head_dim, 1.0f);
    KernelValues<uint16_t> narrow;
    for (const float x : in) narrow.push_back(FloatToBf16(x));
    for (const bool rotates : {false, true}) {
      Floats wide;
      for (const uint16_t x : narrow) wide.push_back(Bf16ToFloat(x));
      if (rotates) {
        ops_.Rotary({.x = DevicePtr(wide.data()),
                     .rows = kRows,
                     .heads = kHeads,
                     .head_dim = head_dim,
                     .table = DevicePtr(table.data())});
      }
      for (const int64_t out_rows : {kRows, kRows + 2}) {
        KernelValues<uint16_t> expected;
        for (int64_t row = 0; row < out_rows; ++row) {
          for (int64_t i = 0; i < width; ++i) {
            expected.push_back(FloatToBf16(wide[std::min(row, kRows - 1) * width + i]));
          }
        }
        for (const bool bf16 : {false, true}) {
          cuda::GatherKeysTask task = {.in = in.data(),
                                       .bf16 = bf16,
                                       .rows = kRows,
                                       .heads = kHeads,
                                       .head_dim = head_dim,
                                       .table = rotates ? table.data() : nullptr,
                                       .out_rows = out_rows};
          if (bf16) task.in = narrow.data();
          EXPECT_TRUE(
              SameBytes(InEveryOrder<uint16_t>(KernelValues<uint16_t>(expected.size(), 0xdead),
                                               [&](uint16_t* out) {
                                                 task.out = out;
                                                 cuda::GatherKeys(task, nullptr);
                                               }),
                        expected));
        }
      }
    }
  }
}

TEST_F(KernelsTest, WidenIsExact) {
  for (const int64_t count : {1, 256, 1000}) {
    KernelValues<uint16_t> in;
    Floats expected;
    for (int64_t i = 0; i < count; ++i) {
      in.push_back(static_cast<uint16_t>(random_.Int(0, 65535)));
      expected.push_back(Bf16ToFloat(in.back()));
    }
    EXPECT_TRUE(SameBytes(
        InEveryOrder<float>(Unwritten(count),
                            [&](float* out) {
                              cuda::Widen({.in = in.data(), .count = count, .out = out}, nullptr);
                            }),
        expected));
  }
}

TEST_F(KernelsTest, DistanceBiasHasTheBitsOfTheCpu) {
  constexpr int64_t kRows = 9;
  constexpr int64_t kHeads = 4;
  const auto table = Draw(8 * kHeads);
  KernelValues<int32_t> buckets;
  for (int64_t i = 0; i < 2 * kRows - 1; ++i) {
    buckets.push_back(static_cast<int32_t>(random_.Int(0, 7)));
  }
  auto expected = Unwritten(kHeads * kRows * kRows);
  ops_.DistanceBias({.table = DevicePtr(table.data()),
                     .buckets = {buckets.data(), buckets.size()},
                     .heads = kHeads,
                     .rows = kRows,
                     .out = DevicePtr(expected.data())});
  EXPECT_TRUE(SameBytes(InEveryOrder<float>(Unwritten(kHeads * kRows * kRows),
                                            [&](float* out) {
                                              cuda::DistanceBias({.table = table.data(),
                                                                  .buckets = buckets.data(),
                                                                  .heads = kHeads,
                                                                  .rows = kRows,
                                                                  .out = out},
                                                                 nullptr);
                                            }),
                        expected));
}

TEST_F(KernelsTest, Pointwise) {
  for (const int64_t count : {1, 255, 256, 1000}) {
    auto x = Draw(count, 8.0f);
    x[0] = kNan;
    if (count > 1) x[1] = -0.0f;
    const auto y = Draw(count);
    auto expected = x;
    ops_.Multiply(DevicePtr(expected.data()), DevicePtr(y.data()), count);
    EXPECT_TRUE(SameBytes(
        InEveryOrder<float>(x,
                            [&](float* out) {
                              cuda::Multiply({.x = out, .y = y.data(), .count = count}, nullptr);
                            }),
        expected));
    expected = x;
    ops_.Relu(DevicePtr(expected.data()), count);
    EXPECT_TRUE(
        SameBytes(InEveryOrder<float>(
                      x, [&](float* out) { cuda::Relu({.x = out, .count = count}, nullptr); }),
                  expected));
    x[0] = 0.5f;
    expected = x;
    ops_.Silu(DevicePtr(expected.data()), count);
    ExpectNear(InEveryOrder<float>(
                   x, [&](float* out) { cuda::Silu({.x = out, .count = count}, nullptr); }),
               expected);
  }
}

TEST_F(KernelsTest, NothingIsPutForNoRows) {
  cuda::LayerNorm({.width = 4}, nullptr);
  cuda::RmsNorm({.width = 4}, nullptr);
  cuda::ChannelNorm({.width = 4}, nullptr);
  cuda::Rotary({.heads = 1, .head_dim = 2}, nullptr);
  cuda::GatedAdd({.width = 4}, nullptr);
  cuda::AddTable({.in_width = 4, .width = 8}, nullptr);
  cuda::StoreRows({.width = 4}, nullptr);
  cuda::GatherKeys({.rows = 1, .heads = 1, .head_dim = 2}, nullptr);
  cuda::Widen({}, nullptr);
  cuda::DistanceBias({.heads = 1}, nullptr);
  cuda::Multiply({}, nullptr);
}

}  // namespace
}  // namespace longtake
