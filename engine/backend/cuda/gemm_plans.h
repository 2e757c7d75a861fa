// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Which kernel of cuBLASLt multiplies matrices of a kind. It decides bits: a card's table is part
// of its numerics profile, and so is whatever was chosen for want of one.
//
// What splits the summed dimension among blocks has no place here, since the bits of a row would
// then depend on how many rows there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/dtype.h"

namespace longtake {

// out[rows, out_features] = in[rows, in_features] weight[out_features, in_features]^T, summed in
// fp32, with what is added and applied before it is rounded.
struct GemmKind {
  int64_t out_features = 0;
  int64_t in_features = 0;
  DType in = DType::kBf16;  // of weight and in: kBf16 or kF32
  DType out = DType::kF32;  // of bias and out: kBf16 or kF32
  bool has_bias = false;
  bool gelu = false;  // by tanh
  friend auto operator<=>(const GemmKind&, const GemmKind&) = default;
};
// "8960x1536 BF16 -> F32, bias, gelu"
std::string GemmKindName(const GemmKind& kind);

// As cuBLASLt numbers its kernels; the numbers are those of one version of it.
struct GemmAlgorithm {
  int32_t id = 0;
  uint32_t tile = 0;
  uint32_t stages = 0;
  uint32_t swizzle = 0;
  uint32_t custom_option = 0;
  uint16_t inner_shape = 0;
  uint16_t cluster_shape = 0;
  friend bool operator==(const GemmAlgorithm&, const GemmAlgorithm&) = default;
};
// All of it: "id 66, tile 20, ..."
std::string GemmAlgorithmName(const GemmAlgorithm& algorithm);

struct GemmPlan {
  GemmKind kind;
  GemmAlgorithm algorithm;
};

// Of one card, as CudaDevice::card names it, and one version of cuBLASLt.
struct GemmPlanTable {
  std::string_view card = "";
  size_t cublas_lt_version = 0;
  std::span<const GemmPlan> plans = {};
};

// Empty for a card that nobody has measured, which so far is every one.
GemmPlanTable FindGemmPlans(std::string_view card, size_t cublas_lt_version);

}  // namespace longtake
