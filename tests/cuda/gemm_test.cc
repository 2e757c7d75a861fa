// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What cuBLASLt is told and which of its kernels is taken, on a fake (tests/cuda/fake_cublas_lt.h)
// that multiplies by what it was told.
#include "engine/backend/cuda/gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/error_reason.h"
#include "tests/cuda/fake_cublas_lt.h"
#include "tests/cuda/fake_cudart.h"

namespace longtake {
namespace {

using fake_cublas_lt::Candidate;
using fake_cublas_lt::Matrix;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr int64_t kSecond = 1'000'000'000;
constexpr GemmKind kUp = {.out_features = 24, .in_features = 16, .has_bias = true, .gelu = true};

class GemmTest : public testing::Test {
 protected:
  GemmTest() : cuda_(fake_cuda::Reset(0)), cublas_(fake_cublas_lt::Reset()) {
    device_ = *CudaDevice::Create(0);
    gemm_ = *Gemm::Create(fake_cublas_lt::Functions(), *device_, Lane::kSweep, {});
  }
  void UseTable(std::span<const GemmPlan> plans) {
    gemm_ = *Gemm::Create(fake_cublas_lt::Functions(), *device_, Lane::kSweep,
                          {.card = "sm_90, 132 SMs", .cublas_lt_version = 130100, .plans = plans});
  }
  // Product of rows of ones, by a weight of twos and a bias of a half.
  std::vector<float> Multiply(const GemmKind& kind, int64_t rows) {
    const std::vector<uint16_t> in(rows * kind.in_features, FloatToBf16(1.0f));
    const std::vector<uint16_t> weight(kind.out_features * kind.in_features, FloatToBf16(2.0f));
    const std::vector<float> bias(kind.out_features, 0.5f);
    std::vector<float> out(rows * kind.out_features, -1.0f);
    gemm_->Run(kind, {.weight = weight.data(),
                      .in = in.data(),
                      .bias = kind.has_bias ? bias.data() : nullptr,
                      .out = out.data(),
                      .rows = rows});
    return out;
  }

  fake_cuda::State& cuda_;
  fake_cublas_lt::State& cublas_;
  std::unique_ptr<CudaDevice> device_;
  std::unique_ptr<Gemm> gemm_;
};

TEST_F(GemmTest, AProductIsDescribedAsCublasSeesIt) {
  ASSERT_TRUE(gemm_->Plan(kUp).ok());
  ASSERT_EQ(cublas_.queries.size(), 1u);
  const fake_cublas_lt::Query& query = cublas_.queries[0];
  EXPECT_EQ(query.product.compute, CUBLAS_COMPUTE_32F);
  EXPECT_EQ(query.product.scale, CUDA_R_32F);
  EXPECT_EQ(query.product.a,
            (Matrix{.type = CUDA_R_16BF, .rows = 16, .columns = 24, .leading = 16}));
  EXPECT_EQ(query.product.b,
            (Matrix{.type = CUDA_R_16BF, .rows = 16, .columns = 4680, .leading = 16}));
  EXPECT_EQ(query.product.d,
            (Matrix{.type = CUDA_R_32F, .rows = 24, .columns = 4680, .leading = 24}));
  EXPECT_EQ(query.product.c, query.product.d);
  auto attributes = query.product.attributes;
  const uint64_t bias = attributes[CUBLASLT_MATMUL_DESC_BIAS_POINTER];
  EXPECT_EQ(bias % 32, 16u) << "kernels are chosen for what is aligned to 16 and no more";
  attributes.erase(CUBLASLT_MATMUL_DESC_BIAS_POINTER);
  EXPECT_THAT(attributes,
              ElementsAre(Pair(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T),
                          Pair(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N),
                          Pair(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_GELU_BIAS),
                          Pair(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_32F)));
  EXPECT_THAT(query.preferences,
              ElementsAre(Pair(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{32} << 20),
                          Pair(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, 0u),
                          Pair(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, 16u),
                          Pair(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, 16u),
                          Pair(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, 16u),
                          Pair(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, 16u)));
}

TEST_F(GemmTest, TypesAndEpiloguesOfTheOtherKinds) {
  struct Case {
    GemmKind kind;
    cublasComputeType_t compute;
    cudaDataType_t in;
    cudaDataType_t out;
    cublasLtEpilogue_t epilogue;
  };
  const Case cases[] = {
      {{.out_features = 8, .in_features = 8},
       CUBLAS_COMPUTE_32F,
       CUDA_R_16BF,
       CUDA_R_32F,
       CUBLASLT_EPILOGUE_DEFAULT},
      {{.out_features = 8, .in_features = 8, .out = DType::kBf16, .has_bias = true},
       CUBLAS_COMPUTE_32F,
       CUDA_R_16BF,
       CUDA_R_16BF,
       CUBLASLT_EPILOGUE_BIAS},
      {{.out_features = 8, .in_features = 8, .gelu = true},
       CUBLAS_COMPUTE_32F,
       CUDA_R_16BF,
       CUDA_R_32F,
       CUBLASLT_EPILOGUE_GELU},
      {{.out_features = 8, .in_features = 8, .in = DType::kF32, .has_bias = true},
       CUBLAS_COMPUTE_32F_PEDANTIC,
       CUDA_R_32F,
       CUDA_R_32F,
       CUBLASLT_EPILOGUE_BIAS},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(GemmKindName(one.kind));
    ASSERT_TRUE(gemm_->Plan(one.kind).ok());
    const fake_cublas_lt::Product& product = cublas_.queries.back().product;
    EXPECT_EQ(product.compute, one.compute);
    EXPECT_EQ(product.a.type, one.in);
    EXPECT_EQ(product.b.type, one.in);
    EXPECT_EQ(product.c.type, one.out);
    EXPECT_EQ(product.d.type, one.out);
    EXPECT_EQ(product.attributes.at(CUBLASLT_MATMUL_DESC_EPILOGUE), one.epilogue);
    EXPECT_EQ(product.attributes.contains(CUBLASLT_MATMUL_DESC_BIAS_POINTER), one.kind.has_bias);
    if (one.kind.has_bias) {
      EXPECT_EQ(product.attributes.at(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE), one.out);
    }
  }
}

// Whatever cuBLASLt proposes first: the bits of a row must not depend on the number of rows.
TEST_F(GemmTest, AKernelThatSplitsTheSumIsPassedOver) {
  cublas_.candidates = {
      Candidate{.algorithm = {.id = 2}, .splits = 4},
      Candidate{.algorithm = {.id = 3}, .reduction = CUBLASLT_REDUCTION_SCHEME_INPLACE},
      Candidate{.algorithm = {.id = 4}, .state = CUBLAS_STATUS_NOT_SUPPORTED},
      Candidate{.algorithm = {.id = 5}, .workspace_bytes = (uint64_t{32} << 20) + 1},
      Candidate{.algorithm = {.id = 6, .tile = 20, .stages = 8, .cluster_shape = 3},
                .workspace_bytes = uint64_t{32} << 20},
      Candidate{.algorithm = {.id = 7}}};
  ASSERT_TRUE(gemm_->Plan(kUp).ok());
  EXPECT_EQ(gemm_->PlanText(),
            "24x16 BF16 -> F32, bias, gelu: as proposed: id 6, tile 20, stages 8, swizzle 0, "
            "option 0, inner shape 0, cluster 3\n");
  cublas_.candidates.resize(4);
  const absl::Status none = gemm_->Plan({.out_features = 8, .in_features = 16});
  EXPECT_EQ(none.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(none.message(),
            "Linear of 8x16 BF16 -> F32: cuBLASLt has no kernel that sums each output in one "
            "piece");
  cublas_.candidates.clear();
  EXPECT_EQ(gemm_->Plan({.out_features = 8, .in_features = 16}).code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_FALSE(gemm_->IsPlanned({.out_features = 8, .in_features = 16}));
}

TEST_F(GemmTest, OneKernelForEveryNumberOfRows) {
  cublas_.candidates = {Candidate{.algorithm = {.id = 6, .tile = 20}}};
  ASSERT_TRUE(gemm_->Plan(kUp).ok());
  cublas_.candidates = {Candidate{.algorithm = {.id = 9}}};
  ASSERT_TRUE(gemm_->Plan(kUp).ok());
  for (const int64_t rows : {1, 7, 300}) {
    const std::vector<float> out = Multiply(kUp, rows);
    for (const float x : out) ASSERT_EQ(x, 32.5f);  // gelu keeps it
    const fake_cublas_lt::Call& call = cublas_.calls.back();
    EXPECT_EQ(call.algorithm.id, 6);
    EXPECT_EQ(call.algorithm.tile, 20u);
    EXPECT_EQ(call.splits, 1);
    EXPECT_EQ(call.product.b.columns, static_cast<uint64_t>(rows));
    EXPECT_EQ(call.product.d.columns, static_cast<uint64_t>(rows));
    EXPECT_EQ(call.stream, device_->stream(Lane::kSweep));
    EXPECT_EQ(call.workspace_bytes, uint64_t{32} << 20);
    EXPECT_NE(call.workspace, nullptr);
  }
  EXPECT_EQ(cublas_.queries.size(), 1u);
  EXPECT_TRUE(Multiply(kUp, 0).empty());
  EXPECT_EQ(cublas_.calls.size(), 3u) << "nothing is put for no rows";
}

TEST_F(GemmTest, TheCardsTableComesFirst) {
  const GemmPlan plans[] = {{.kind = kUp,
                             .algorithm = {.id = 66,
                                           .tile = 21,
                                           .stages = 36,
                                           .swizzle = 1,
                                           .custom_option = 5,
                                           .inner_shape = 2,
                                           .cluster_shape = 3}}};
  UseTable(plans);
  ASSERT_TRUE(gemm_->Plan(kUp).ok());
  EXPECT_TRUE(cublas_.queries.empty());
  ASSERT_EQ(cublas_.checks.size(), 1u);
  EXPECT_EQ(cublas_.checks[0].algorithm, plans[0].algorithm);
  EXPECT_EQ(cublas_.checks[0].splits, 1);
  EXPECT_EQ(cublas_.checks[0].product.b.columns, 4680u);
  Multiply(kUp, 2);
  EXPECT_EQ(cublas_.calls[0].algorithm, plans[0].algorithm);
  ASSERT_TRUE(gemm_->Plan({.out_features = 8, .in_features = 8}).ok());
  EXPECT_EQ(cublas_.queries.size(), 1u) << "what the table does not have is proposed";
  EXPECT_EQ(gemm_->PlanText(),
            "8x8 BF16 -> F32: as proposed: id 1, tile 0, stages 0, swizzle 0, option 0, inner "
            "shape 0, cluster 0\n"
            "24x16 BF16 -> F32, bias, gelu: id 66, tile 21, stages 36, swizzle 1, option 5, inner "
            "shape 2, cluster 3\n");
}

TEST_F(GemmTest, ATableThatDoesNotFitIsAnError) {
  const GemmPlan plans[] = {{.kind = kUp, .algorithm = {.id = 66}}};
  UseTable(plans);
  cublas_.check = CUBLAS_STATUS_NOT_SUPPORTED;
  const absl::Status refused = gemm_->Plan(kUp);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(refused.message(),
            "Linear of 24x16 BF16 -> F32, bias, gelu, by the card's table: "
            "cublasLtMatmulAlgoCheck: something is wrong");
  cublas_.check = CUBLAS_STATUS_SUCCESS;
  cublas_.check_workspace_bytes = (uint64_t{32} << 20) + 1;
  EXPECT_THAT(std::string(gemm_->Plan(kUp).message()), HasSubstr("33554433 bytes; 33554432 are"));
}

TEST_F(GemmTest, WhatIsRefusedLaterLosesTheDevice) {
  ASSERT_TRUE(gemm_->Plan(kUp).ok());
  cublas_.matmul = CUBLAS_STATUS_EXECUTION_FAILED;
  Multiply(kUp, 2);
  const absl::Status lost = device_->Wait(device_->Mark(Lane::kSweep), kSecond);
  EXPECT_EQ(ReasonFor(lost), Reason::kDeviceLost) << lost;
  EXPECT_EQ(lost.message(),
            "Linear of 24x16 BF16 -> F32, bias, gelu: cublasLtMatmul: something is wrong");
}

// What a kernel was not chosen for it must not get.
TEST_F(GemmTest, AnAddressThatIsNotAlignedLosesTheDevice) {
  constexpr GemmKind kPlain = {.out_features = 8, .in_features = 8};
  ASSERT_TRUE(gemm_->Plan(kPlain).ok());
  alignas(16) const uint16_t values[72] = {};
  alignas(16) float out[8] = {};
  gemm_->Run(kPlain, {.weight = values, .in = values + 4, .out = out, .rows = 1});
  EXPECT_TRUE(cublas_.calls.empty());
  EXPECT_EQ(device_->Wait(device_->Mark(Lane::kSweep), kSecond).message(),
            "Linear of 8x8 BF16 -> F32: an address is not aligned to 16");
}

TEST_F(GemmTest, MemoryIsCountedAndComesBack) {
  EXPECT_EQ(gemm_->workspace_bytes(), uint64_t{32} << 20);
  EXPECT_EQ(cuda_.allocated, uint64_t{32} << 20);
  ASSERT_TRUE(gemm_->Plan(kUp).ok());
  EXPECT_EQ(cublas_.alive, 5) << "a handle, a description and three layouts";
  gemm_.reset();
  EXPECT_EQ(cublas_.alive, 0);
  EXPECT_EQ(cuda_.allocated, 0u);
  cublas_.starts = false;
  const absl::Status missing =
      Gemm::Create(fake_cublas_lt::Functions(), *device_, Lane::kSweep, {}).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(missing.message(), "cuBLASLt does not start: not initialized");
  cublas_.starts = true;
  cuda_.memory_free = 1000;
  EXPECT_EQ(Gemm::Create(fake_cublas_lt::Functions(), *device_, Lane::kSweep, {}).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(cublas_.alive, 0);
}

}  // namespace
}  // namespace longtake
