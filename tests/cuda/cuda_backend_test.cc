// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The op list of a GPU without a GPU: own kernels on the host, and fakes of CUDA's runtime,
// cuBLASLt and cuDNN that compute what they were told. Its results are those of the CPU within what
// the profile rounds.
#include "engine/backend/cuda/cuda_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend/upload.h"
#include "tests/backend/backend_testing.h"
#include "tests/cuda/fake_cublas_lt.h"
#include "tests/cuda/fake_cudart.h"
#include "tests/cuda/fake_cudnn.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr CudaWeight kWeights[] = {
    {.out_features = 24, .in_features = 16},
    {.out_features = 24, .in_features = 16, .dtype = DType::kF32},
};
constexpr CudaBackendOptions kOptions = {
    .weights = kWeights, .rows_max = 8, .keys_max = 32, .width_max = 32, .narrow_bytes = 96};
constexpr SdpaShape kShape = {.heads = 2, .rows = 3, .keys = 12, .head_dim = 8};

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
    AlignedBuffer pinned =
        *backend_.device().AllocatePinned(static_cast<uint64_t>(count) * sizeof(float), nullptr);
    backend_.device().CopyOut(
        backend_.lane(), pinned.span(),
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

class CudaBackendTest : public testing::Test {
 protected:
  CudaBackendTest()
      : cuda_(fake_cuda::Reset(0)),
        cublas_(fake_cublas_lt::Reset()),
        cudnn_(fake_cudnn::Reset()),
        backend_(*Create()) {}

  static absl::StatusOr<std::unique_ptr<CudaBackend>> Create(
      const CudaBackendOptions& options = kOptions) {
    return CudaBackend::Create(
        *CudaDevice::Create(0),
        {.cublas_lt = fake_cublas_lt::Functions(), .cudnn = fake_cudnn::Functions()}, options);
  }
  std::vector<float> Draw(int64_t count, float scale = 2.0f) {
    return random_.Floats(count, scale);
  }
  // What put leaves in x, which has count values, on both.
  void ExpectSame(const std::vector<float>& x, float tolerance,
                  const std::function<void(Backend&, Memory&, DevicePtr<float>)>& put) {
    std::vector<float> results[2];
    for (const bool on_gpu : {false, true}) {
      Backend& backend = on_gpu ? static_cast<Backend&>(*backend_) : *cpu_.backend;
      Memory memory(backend);
      const DevicePtr<float> place = memory.Put(x);
      put(backend, memory, place);
      results[on_gpu ? 1 : 0] = memory.Get(place, static_cast<int64_t>(x.size()));
    }
    ExpectNear(results[1], results[0], tolerance);
  }
  std::string WhyLost() {
    const absl::Status lost = backend_->Await();
    EXPECT_EQ(lost.code(), absl::StatusCode::kUnimplemented);
    return std::string(lost.message());
  }

  Random random_{11};
  Machine cpu_{1};
  fake_cuda::State& cuda_;
  fake_cublas_lt::State& cublas_;
  fake_cudnn::State& cudnn_;
  std::unique_ptr<CudaBackend> backend_;
};

TEST_F(CudaBackendTest, NormsAreThoseOfTheCpu) {
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

TEST_F(CudaBackendTest, RowOpsAreThoseOfTheCpu) {
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
TEST_F(CudaBackendTest, LinearIsThatOfTheCpuOfRoundedRows) {
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
  EXPECT_EQ(cublas_.calls.size(), 6u * 3 + 6u) << "fp32 needs no blocks";
  EXPECT_TRUE(backend_->Await().ok());
}

TEST_F(CudaBackendTest, AttentionIsThatOfTheCpu) {
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
  EXPECT_EQ(cudnn_.run.size(), 1u) << "nothing is put for no rows";
}

TEST_F(CudaBackendTest, WhatIsNotThereIsRefusedByName) {
  std::vector<float> memory(64);
  const DevicePtr<float> place(memory.data());
  const auto refused = [&](const std::function<void()>& put) {
    backend_ = nullptr;
    backend_ = *Create();
    put();
    return WhyLost();
  };
  AttentionArgs item = {.q = place, .rows = 3, .heads = 2, .head_dim = 8, .keys = {}, .out = place};
  EXPECT_EQ(refused([&] { backend_->Attention({&item, 1}); }),
            "CUDA has no Attention of 2 heads of 8, 3 rows, 0 keys, which nobody reserved, yet");
  item.last_key_bias = 0.5f;
  EXPECT_EQ(refused([&] { backend_->Attention({&item, 1}); }),
            "CUDA has no Attention whose last key has a bias of 0.5, which is no logarithm of a "
            "whole number yet");
  item.bias = place;
  EXPECT_EQ(refused([&] { backend_->Attention({&item, 1}); }),
            "CUDA has no Attention with a bias yet");
  EXPECT_EQ(refused([&] { backend_->DistanceBias({}); }), "CUDA has no DistanceBias yet");
  EXPECT_EQ(refused([&] { backend_->Conv({}); }), "CUDA has no Conv yet");
  EXPECT_EQ(refused([&] {
              backend_->Linear({.in = place,
                                .rows = 1,
                                .weight = {.out_features = 8, .in_features = 8},
                                .out = place});
            }),
            "CUDA has no Linear of 8x8 F32 -> F32 yet");
  EXPECT_EQ(backend_->PackConv({}, nullptr, DType::kF32, nullptr).status().message(),
            "CUDA has no Conv yet");
}

TEST_F(CudaBackendTest, WhatCannotBeMadeIsRefusedByReason) {
  backend_ = nullptr;
  const CudaWeight narrow = {.out_features = 8, .in_features = 32, .dtype = DType::kI8};
  const absl::Status int8 = Create({.weights = {&narrow, 1}}).status();
  EXPECT_EQ(int8.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(int8.message(), "CUDA has no Linear of I8 weights yet (8x32)");
  cublas_.candidates.clear();
  EXPECT_THAT(std::string(Create().status().message()),
              StartsWith("Linear of 24x16 BF16 -> F32: "));
  cudnn_.starts = false;
  EXPECT_EQ(Create().status().message(), "cuDNN does not start: WRONG");
  cuda_.major = 8;
  const absl::Status other = Create().status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(other.message(), "Fake, sm_80, 132 SMs is no GPU of cuda-sm90-bf16-v1");
  EXPECT_EQ(cuda_.allocated, 0u);
  cuda_.devices = 0;
  EXPECT_EQ(CreateCudaBackend({}).status().message(), "CUDA: invalid device ordinal");
}

TEST_F(CudaBackendTest, MemoryIsToldBeforeItIsTaken) {
  EXPECT_EQ(cuda_.allocated, CudaScratchBytes(kOptions));
  backend_ = nullptr;
  EXPECT_EQ(cuda_.allocated, 0u);
  cuda_.memory_free = CudaScratchBytes(kOptions) - 1;
  EXPECT_EQ(Create().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(cuda_.allocated, 0u);
  cuda_.memory_free = CudaScratchBytes(kOptions);
  EXPECT_TRUE(Create().ok());
}

TEST_F(CudaBackendTest, TheProfileNamesWhatDecidesBits) {
  const std::string profile(backend_->numerics_profile());
  EXPECT_THAT(profile, testing::MatchesRegex("cuda-sm90-bf16-v1\\+[0-9a-f]{8}"));
  EXPECT_EQ(backend_->instruction_set(), "sm_90");
  backend_ = nullptr;
  CudaBackendOptions other = kOptions;
  other.rows_max = 20;
  EXPECT_EQ((*Create(other))->numerics_profile(), profile) << "sizes decide none";
  cublas_.candidates = {{.algorithm = {.id = 2}}};
  EXPECT_NE((*Create())->numerics_profile(), profile) << "another kernel";
  cublas_.candidates = {{}};
  EXPECT_EQ((*Create())->numerics_profile(), profile);
}

}  // namespace
}  // namespace longtake
