// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/cuda/fake_cublas_lt.h"
#include "tests/cuda/fake_cudart.h"
#include "tests/cuda/fake_cudnn.h"
#include "tests/cuda/ops_runner.h"

namespace longtake {
namespace {

fake_cublas_lt::State* cublas = nullptr;
fake_cudnn::State* cudnn = nullptr;

}  // namespace

std::string WhyNoOpsRun() { return ""; }

absl::StatusOr<std::unique_ptr<CudaBackend>> CreateForOps(const CudaBackendOptions& options) {
  fake_cuda::Reset(0);
  cublas = &fake_cublas_lt::Reset();
  cudnn = &fake_cudnn::Reset();
  LT_ASSIGN_OR_RETURN(auto device, CudaDevice::Create(0));
  return CudaBackend::Create(
      std::move(device),
      {.cublas_lt = fake_cublas_lt::Functions(), .cudnn = fake_cudnn::Functions()}, options);
}

bool HasModelWidths() { return false; }

void ExpectLibraryCalls(size_t products, size_t attentions) {
  EXPECT_EQ(cublas->calls.size(), products);
  EXPECT_EQ(cudnn->run.size(), attentions);
}

}  // namespace longtake
