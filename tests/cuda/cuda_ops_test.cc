// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The op list of CUDA beside that of the CPU: the same within what the profile rounds. On fakes of
// CUDA's libraries, with own kernels on the host; the same program is built for a GPU, where it
// tries the widths of models, too.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/backend/upload.h"
#include "tests/backend/backend_testing.h"
#include "tests/cuda/ops_runner.h"

namespace longtake {
namespace {

constexpr CudaWeight kWeights[] = {
    {.out_features = 24, .in_features = 16},
    {.out_features = 24, .in_features = 16, .dtype = DType::kF32},
};
constexpr CudaBackendOptions kOptions = {
    .weights = kWeights, .rows_max = 8, .keys_max = 32, .width_max = 32, .narrow_bytes = 96};
constexpr SdpaShape kShape = {.heads = 2, .rows = 3, .keys = 12, .head_dim = 8};

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Of a matrix; those of the 1.3B and the 14B model where there is a GPU to multiply by them.
struct Widths {
  int64_t out;
  int64_t in;
};
std::vector<Widths> WidthsToTry() {
  if (!HasModelWidths()) return {{24, 16}, {16, 40}};
  return {{1536, 1536}, {8960, 1536}, {1536, 8960}, {5120, 5120}, {13824, 5120}, {5120, 13824}};
}

// Memory of one backend, by value.
class Memory {
 public:
  explicit Memory(Backend& backend) : backend_(backend) {}
  template <typename T>
  DevicePtr<T> Put(const std::vector<T>& values) {
    buffers_.push_back(*Upload(backend_, std::as_bytes(std::span(values))));
    return buffers_.back().As<T>();
  }
  std::vector<float> Get(DevicePtr<float> from, int64_t count) {
    const uint64_t bytes = static_cast<uint64_t>(count) * sizeof(float);
    AlignedBuffer pinned = *backend_.device().AllocatePinned(bytes, nullptr);
    backend_.device().CopyOut(
        backend_.lane(), pinned.span().first(bytes),
        DevicePtr<const std::byte>(reinterpret_cast<const std::byte*>(from.address())));
    EXPECT_TRUE(backend_.Await().ok());
    const auto* begin = reinterpret_cast<const float*>(pinned.data());
    return {begin, begin + count};
  }

 private:
  Backend& backend_;
  std::vector<DeviceBuffer> buffers_;
};

// Of the largest value.
void ExpectNear(const std::vector<float>& actual, const std::vector<float>& expected,
                float tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  float most = 0;
  for (const float x : expected) most = std::max(most, std::fabs(x));
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_LE(std::fabs(actual[i] - expected[i]), tolerance * most) << i;
  }
}

// By its length; NaN is nowhere near.
void ExpectClose(const std::vector<float>& actual, const std::vector<float>& expected,
                 double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  double error = 0;
  double length = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double off = static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
    error += off * off;
    length += static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
  }
  const double relative = std::sqrt(error / length);
  EXPECT_TRUE(relative <= tolerance) << relative;
}

class CudaOpsTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string why = WhyNoOpsRun();
    if (!why.empty() && std::getenv("LONGTAKE_REQUIRE_GPU") != nullptr) GTEST_FAIL() << why;
    if (!why.empty()) GTEST_SKIP() << why;
    Open(kOptions);
  }
  void TearDown() override {
    if (backend_ == nullptr) return;
    const absl::Status status = backend_->Await();
    EXPECT_TRUE(status.ok()) << status;
  }
  void Open(const CudaBackendOptions& options) {
    backend_ = nullptr;
    auto created = CreateForOps(options);
    ASSERT_TRUE(created.ok()) << created.status();
    backend_ = *std::move(created);
  }
  std::vector<float> Draw(int64_t count, float scale = 2.0f) {
    return random_.Floats(count, scale);
  }
  using Ops = std::function<void(Backend&, Memory&, DevicePtr<float>)>;
  // What put leaves in x.
  static std::vector<float> Result(Backend& backend, const std::vector<float>& x, const Ops& put) {
    Memory memory(backend);
    const DevicePtr<float> place = memory.Put(x);
    put(backend, memory, place);
    return memory.Get(place, static_cast<int64_t>(x.size()));
  }
  void ExpectSame(const std::vector<float>& x, float tolerance, const Ops& put) {
    ExpectNear(Result(*backend_, x, put), Result(*cpu_.backend, x, put), tolerance);
  }

  Random random_{11};
  Machine cpu_{HasModelWidths() ? 8 : 1};
  std::unique_ptr<CudaBackend> backend_;
};

TEST_F(CudaOpsTest, NormsAreThoseOfTheCpu) {
  constexpr int64_t kRows = 4;
  constexpr int64_t kWidth = 20;
  const auto x = Draw(kRows * kWidth);
  const auto gain = Draw(2 * (kWidth + 3));
  const auto bias = Draw(2 * (kWidth + 3));
  ExpectSame(x, 3e-6f, [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
    ops.LayerNormModulate({.in = place,
                           .rows = kRows,
                           .width = kWidth,
                           .shift = memory.Put(bias),
                           .scale = memory.Put(gain),
                           .group_rows = 2,
                           .group_stride = kWidth + 3,
                           .out = place});
  });
  ExpectSame(x, 3e-6f, [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
    ops.LayerNorm({.in = place,
                   .rows = kRows,
                   .width = kWidth,
                   .gain = memory.Put(gain),
                   .bias = memory.Put(bias),
                   .out = place});
  });
  ExpectSame(x, 3e-6f, [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
    ops.RmsNorm(
        {.in = place, .rows = kRows, .width = kWidth, .gain = memory.Put(gain), .out = place});
  });
  for (const bool silu : {false, true}) {
    ExpectSame(x, 3e-6f, [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
      ops.ChannelNorm({.in = place,
                       .rows = kRows,
                       .width = kWidth,
                       .gamma = memory.Put(gain),
                       .silu = silu,
                       .out = place});
    });
  }
}

TEST_F(CudaOpsTest, RowOpsAreThoseOfTheCpu) {
  constexpr int64_t kRows = 4;
  constexpr int64_t kWidth = 24;
  const auto x = Draw(kRows * kWidth);
  const auto y = Draw(kRows * kWidth);
  const auto table = Draw(kRows * kWidth);
  ExpectSame(x, 0.0f, [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
    ops.Rotary({.x = place, .rows = kRows, .heads = 3, .head_dim = 8, .table = memory.Put(table)});
  });
  for (const bool has_gate : {false, true}) {
    ExpectSame(x, 0.0f, [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
      ops.GatedAdd({.x = place,
                    .y = memory.Put(y),
                    .rows = kRows,
                    .width = kWidth,
                    .gate = has_gate ? DevicePtr<const float>(memory.Put(table)) : nullptr,
                    .group_rows = 2,
                    .group_stride = kWidth});
    });
  }
  ExpectSame(x, 0.0f, [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
    ops.AddTable({.in = memory.Put(y),
                  .rows = kRows,
                  .in_width = kWidth / 2,
                  .table = memory.Put(table),
                  .width = kWidth,
                  .out = place});
  });
  ExpectSame(x, 0.0f, [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
    ops.Multiply(place, memory.Put(y), kRows * kWidth);
    ops.Relu(place, kRows * kWidth);
  });
  ExpectSame(x, 3e-6f, [&](Backend& ops, Memory&, DevicePtr<float> place) { ops.Silu(place, 30); });
  ExpectSame(x, 0.0f, [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
    const auto bytes = [](DevicePtr<float> at) {
      return DevicePtr<std::byte>(reinterpret_cast<std::byte*>(at.address()));
    };
    const RowPiece pieces[] = {{.out = bytes(place + 2 * kWidth), .rows = 1},
                               {.out = bytes(place), .rows = 2}};
    ops.StoreRows({.in = memory.Put(y), .width = kWidth, .out = pieces});
  });
}

// In blocks of three rows, of which the last is not full.
TEST_F(CudaOpsTest, LinearIsThatOfTheCpuOfRoundedRows) {
  constexpr int64_t kRows = 7;
  const auto rows = Draw(kRows * 16);
  const auto bias = Draw(24);
  for (const DType dtype : {DType::kBf16, DType::kF32}) {
    const Values weight(Draw(24 * 16), dtype);
    const Values in(rows, dtype);  // rounded for the CPU, which does not round
    for (const Activation activation :
         {Activation::kNone, Activation::kGeluTanh, Activation::kSilu}) {
      for (const bool has_bias : {false, true}) {
        SCOPED_TRACE(absl::StrCat(static_cast<int>(dtype), static_cast<int>(activation), has_bias));
        ExpectSame(
            Draw(kRows * 24), 1e-5f, [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
              const bool on_gpu = &ops == backend_.get();
              LinearArgs args = {.in = memory.Put(on_gpu ? rows : in.wide),
                                 .rows = kRows,
                                 .weight = {.dtype = dtype, .out_features = 24, .in_features = 16},
                                 .activation = activation,
                                 .out = place};
              if (has_bias) args.bias = memory.Put(bias);
              if (dtype == DType::kBf16) {
                args.weight.data = memory.Put(weight.narrow);
              } else {
                args.weight.data = memory.Put(weight.wide);
              }
              ops.Linear(args);
            });
      }
    }
  }
  ExpectLibraryCalls(6 * 3 + 6, 0);  // fp32 needs no blocks
}

TEST_F(CudaOpsTest, AttentionIsThatOfTheCpu) {
  ASSERT_TRUE(backend_->ReserveAttention(kShape).ok());
  const auto q = Draw(3 * 16, 1.0f);
  const auto table = Draw(4 * 8, 1.0f);
  const Values k_old(Draw(4 * 16, 1.0f), DType::kBf16);
  const Values v_old(Draw(4 * 16, 1.0f), DType::kBf16);
  const Values k_new(Draw(3 * 16, 1.0f), DType::kBf16);
  const Values v_new(Draw(3 * 16, 1.0f), DType::kBf16);
  // The last key stands for six: twelve in all.
  ExpectSame(Draw(3 * 16), 2e-2f, [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
    const KeySegment segments[] = {
        {.k = memory.Put(k_old.narrow),
         .v = memory.Put(v_old.narrow),
         .dtype = DType::kBf16,
         .rows = 4,
         .rotary = memory.Put(table)},
        {.k = memory.Put(k_new.wide), .v = memory.Put(v_new.wide), .rows = 3}};
    const AttentionArgs items[] = {{.q = memory.Put(q),
                                    .rows = 3,
                                    .heads = 2,
                                    .head_dim = 8,
                                    .keys = segments,
                                    .scale = 0.35f,
                                    .last_key_bias = static_cast<float>(std::log(6.0)),
                                    .out = place},
                                   {.heads = 2, .head_dim = 8, .keys = {}}};
    ops.Attention(std::span(items).first(&ops == backend_.get() ? 2 : 1));
  });
  ExpectLibraryCalls(0, 1);  // nothing is put for no rows
}

// What a row becomes with as many others as a chunk has, it becomes alone: sessions are stacked,
// and a chosen kernel of cuBLASLt is only likely to do this.
TEST_F(CudaOpsTest, TheBitsOfARowAreThoseItHasAlone) {
  for (const Widths& widths : WidthsToTry()) {
    SCOPED_TRACE(absl::StrCat(widths.out, "x", widths.in));
    const CudaWeight planned = {.out_features = widths.out, .in_features = widths.in};
    Open({.weights = {&planned, 1}});
    const int64_t most = HasModelWidths() ? kGemmPlanRows : 40;
    const auto rows = Draw(most * widths.in);
    const Values weight(Draw(widths.out * widths.in, 0.1f), DType::kBf16);
    const auto product = [&](int64_t count) {
      return Result(*backend_, std::vector<float>(static_cast<size_t>(count * widths.out), kNan),
                    [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
                      ops.Linear({.in = memory.Put(rows),
                                  .rows = count,
                                  .weight = {.data = memory.Put(weight.narrow),
                                             .dtype = DType::kBf16,
                                             .out_features = widths.out,
                                             .in_features = widths.in},
                                  .out = place});
                    });
    };
    const std::vector<float> all = product(most);
    for (const int64_t count : {int64_t{1}, int64_t{7}, most / 3, most}) {
      const std::vector<float> some = product(count);
      EXPECT_EQ(std::memcmp(some.data(), all.data(), some.size() * sizeof(float)), 0)
          << count << " of " << most << " rows";
    }
  }
}

TEST_F(CudaOpsTest, ProductsOfModelsAreThoseOfTheCpu) {
  const int64_t rows = HasModelWidths() ? 131 : 5;
  for (const Widths& widths : WidthsToTry()) {
    SCOPED_TRACE(absl::StrCat(widths.out, "x", widths.in));
    const CudaWeight planned = {.out_features = widths.out, .in_features = widths.in};
    Open({.weights = {&planned, 1}});
    const Values in(Draw(rows * widths.in), DType::kBf16);
    const Values weight(Draw(widths.out * widths.in, 0.1f), DType::kBf16);
    const std::vector<float> bias = Draw(widths.out);
    const Ops put = [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
      ops.Linear({.in = memory.Put(in.wide),
                  .rows = rows,
                  .weight = {.data = memory.Put(weight.narrow),
                             .dtype = DType::kBf16,
                             .out_features = widths.out,
                             .in_features = widths.in},
                  .bias = memory.Put(bias),
                  .activation = Activation::kGeluTanh,
                  .out = place});
    };
    const std::vector<float> unwritten(static_cast<size_t>(rows * widths.out), kNan);
    ExpectClose(Result(*backend_, unwritten, put), Result(*cpu_.backend, unwritten, put), 3e-3);
  }
}

TEST_F(CudaOpsTest, AttentionOfModelsIsThatOfTheCpu) {
  const SdpaShape shape = HasModelWidths()
                              ? SdpaShape{.heads = 12, .rows = 720, .keys = 5040, .head_dim = 128}
                              : SdpaShape{.heads = 2, .rows = 5, .keys = 9, .head_dim = 16};
  const int64_t width = shape.heads * shape.head_dim;
  Open({.rows_max = shape.rows, .keys_max = shape.keys, .width_max = width});
  const absl::Status reserved = backend_->ReserveAttention(shape);
  ASSERT_TRUE(reserved.ok()) << reserved;
  const Values q(Draw(shape.rows * width), DType::kBf16);
  const Values k(Draw(shape.keys * width), DType::kBf16);
  const Values v(Draw(shape.keys * width), DType::kBf16);
  const Ops put = [&](Backend& ops, Memory& memory, DevicePtr<float> place) {
    const KeySegment segment = {.k = memory.Put(k.narrow),
                                .v = memory.Put(v.narrow),
                                .dtype = DType::kBf16,
                                .rows = shape.keys};
    const AttentionArgs item = {.q = memory.Put(q.wide),
                                .rows = shape.rows,
                                .heads = shape.heads,
                                .head_dim = shape.head_dim,
                                .keys = {&segment, 1},
                                .scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim)),
                                .out = place};
    ops.Attention({&item, 1});
  };
  const std::vector<float> unwritten(static_cast<size_t>(shape.rows * width), kNan);
  ExpectClose(Result(*backend_, unwritten, put), Result(*cpu_.backend, unwritten, put), 4e-3);
}

}  // namespace
}  // namespace longtake
