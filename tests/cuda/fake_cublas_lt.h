// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// cuBLASLt without a GPU: it proposes the kernels that a test says, keeps what it was told, and
// multiplies memory of the host at once, by what its descriptors say. Another fake's streams wait
// (tests/cuda/fake_cudart.h), this one's do not.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/backend/cuda/cublas_lt_library.h"
#include "engine/backend/cuda/gemm_plans.h"

namespace fake_cublas_lt {

struct Matrix {
  cudaDataType_t type = CUDA_R_32F;
  uint64_t rows = 0;  // of column-major storage
  uint64_t columns = 0;
  int64_t leading = 0;
  friend bool operator==(const Matrix&, const Matrix&) = default;
};

// What a product was described as.
struct Product {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cudaDataType_t scale = CUDA_R_64F;
  std::map<cublasLtMatmulDescAttributes_t, uint64_t> attributes = {};  // that were set
  Matrix a = {};
  Matrix b = {};
  Matrix c = {};
  Matrix d = {};
};

struct Query {
  Product product;
  std::map<cublasLtMatmulPreferenceAttributes_t, uint64_t> preferences = {};
  int requested = 0;
};

struct Call {
  Product product;
  longtake::GemmAlgorithm algorithm = {};
  int32_t splits = 0;
  const void* workspace = nullptr;
  uint64_t workspace_bytes = 0;
  cudaStream_t stream = nullptr;
};

struct Candidate {
  longtake::GemmAlgorithm algorithm = {.id = 1};
  int32_t splits = 1;
  uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_NONE;
  uint64_t workspace_bytes = 0;
  cublasStatus_t state = CUBLAS_STATUS_SUCCESS;
};

struct State {
  bool starts = true;
  std::vector<Candidate> candidates = {Candidate()};
  uint64_t check_workspace_bytes = 0;
  cublasStatus_t check = CUBLAS_STATUS_SUCCESS;   // what AlgoCheck answers
  cublasStatus_t matmul = CUBLAS_STATUS_SUCCESS;  // what Matmul answers
  std::vector<Query> queries = {};
  std::vector<Call> checks = {};
  std::vector<Call> calls = {};
  int alive = 0;  // handles and descriptors
};

// Forgets all; nothing may be alive.
State& Reset();
longtake::CublasLt Functions();

}  // namespace fake_cublas_lt
