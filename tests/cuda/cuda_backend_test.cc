// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The op list of a GPU without a GPU: own kernels on the host, and fakes of CUDA's runtime,
// cuBLASLt and cuDNN that compute what they were told. What it refuses, what it takes, its name.
#include "engine/backend/cuda/cuda_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

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
  std::string WhyLost() {
    const absl::Status lost = backend_->Await();
    EXPECT_EQ(lost.code(), absl::StatusCode::kUnimplemented);
    return std::string(lost.message());
  }

  fake_cuda::State& cuda_;
  fake_cublas_lt::State& cublas_;
  fake_cudnn::State& cudnn_;
  std::unique_ptr<CudaBackend> backend_;
};

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
