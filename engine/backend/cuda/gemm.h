// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Products of matrices by cuBLASLt. A kind of product is planned once: its kernel is that of the
// card's table, or else the first that cuBLASLt proposes and that does not split the summed
// dimension; it is the same for every number of rows from then on.
//
// Row-major matrices are column-major ones of the other shape, so out = in W^T is computed as
// out^T = W in^T.
//
// Thread rule: the lane's.
#pragma once

#include <cublasLt.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/status_macros.h"
#include "engine/backend/cuda/cublas_lt_library.h"
#include "engine/backend/cuda/cuda_device.h"
#include "engine/backend/cuda/gemm_plans.h"

namespace longtake {

// What kernels work in, of each lane.
inline constexpr uint64_t kGemmWorkspaceBytes = uint64_t{32} << 20;
// Rows for which a kernel is chosen: a chunk of three latents of 832x480.
inline constexpr int64_t kGemmPlanRows = 4680;
// Of every address, so that a kernel fits all.
inline constexpr uint64_t kGemmAlignment = 16;

struct GemmCall {
  const void* weight = nullptr;  // [out_features, in_features]
  const void* in = nullptr;      // [rows, in_features]
  const void* bias = nullptr;    // [out_features], of a kind that has one
  void* out = nullptr;           // [rows, out_features]
  int64_t rows = 0;
};

class Gemm {
 public:
  // On the device's lane, both of which outlive it. UNAVAILABLE when cuBLASLt does not start,
  // RESOURCE_EXHAUSTED without memory for its workspace.
  static absl::StatusOr<std::unique_ptr<Gemm>> Create(const CublasLt& library, CudaDevice& device,
                                                      Lane lane, const GemmPlanTable& table);
  ~Gemm();
  Gemm(const Gemm&) = delete;
  Gemm& operator=(const Gemm&) = delete;

  // At start only. Of a kind that is planned already it does nothing. UNIMPLEMENTED when no kernel
  // fits, INTERNAL when the table's does not.
  absl::Status Plan(const GemmKind& kind);
  bool IsPlanned(const GemmKind& kind) const { return plans_.contains(kind); }
  // Of a planned kind. What cuBLASLt refuses comes out of Device::Wait.
  void Run(const GemmKind& kind, const GemmCall& call);

  uint64_t workspace_bytes() const { return workspace_.size(); }
  // One line a kind, in an order that depends on the kinds alone: what decides bits.
  std::string PlanText() const;

 private:
  struct Planned;

  Gemm(const CublasLt& library, CudaDevice& device, Lane lane, const GemmPlanTable& table);
  absl::StatusOr<std::unique_ptr<Planned>> Describe(const GemmKind& kind);
  absl::Status TakeFromTable(const GemmAlgorithm& algorithm, Planned* planned);
  absl::Status Choose(Planned* planned);
  GemmAlgorithm AlgorithmOf(const cublasLtMatmulAlgo_t& algo) const;
  bool Splits(const cublasLtMatmulAlgo_t& algo) const;
  absl::Status Must(cublasStatus_t status, const char* call) const;

  const CublasLt library_;
  CudaDevice& device_;
  const Lane lane_;
  const GemmPlanTable table_;
  cublasLtHandle_t handle_ = nullptr;
  DeviceBuffer workspace_;
  std::map<GemmKind, std::unique_ptr<Planned>> plans_;
};

}  // namespace longtake
