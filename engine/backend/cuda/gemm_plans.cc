// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/gemm_plans.h"

#include "absl/strings/str_cat.h"

namespace longtake {

std::string GemmKindName(const GemmKind& kind) {
  return absl::StrCat(kind.out_features, "x", kind.in_features, " ",
                      std::string(DTypeName(kind.in)), " -> ", std::string(DTypeName(kind.out)),
                      kind.has_bias ? ", bias" : "", kind.gelu ? ", gelu" : "");
}

std::string GemmAlgorithmName(const GemmAlgorithm& algorithm) {
  return absl::StrCat("id ", algorithm.id, ", tile ", algorithm.tile, ", stages ", algorithm.stages,
                      ", swizzle ", algorithm.swizzle, ", option ", algorithm.custom_option,
                      ", inner shape ", algorithm.inner_shape, ", cluster ",
                      algorithm.cluster_shape);
}

GemmPlanTable FindGemmPlans(std::string_view, size_t) { return {}; }

}  // namespace longtake
