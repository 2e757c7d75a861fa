// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/layer_weights.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace longtake {

absl::StatusOr<Weight> AsWeight(const PackedMatrix& packed, DevicePtr<const void> data,
                                const MatrixShape& shape, DevicePtr<const float> scales) {
  const auto [out_features, in_features] = shape;
  const bool is_floating = packed.dtype == DType::kF32 || packed.dtype == DType::kBf16;
  const bool is_int8 = packed.dtype == DType::kI8 && in_features <= kInt8InFeaturesMax;
  const bool dtype_fits = scales ? is_int8 : is_floating;
  if (!dtype_fits || packed.shape.size() != 2 || packed.shape[0] != out_features ||
      packed.shape[1] != in_features) {
    return absl::FailedPreconditionError(absl::StrCat(
        "layer ", packed.layer, ", tensor ", std::string(packed.name), ": expected [", out_features,
        ", ", in_features, "] of ", scales ? "I8, which its scales go with" : "F32 or BF16"));
  }
  return Weight{.data = data,
                .dtype = packed.dtype,
                .out_features = out_features,
                .in_features = in_features,
                .scales = scales};
}

absl::StatusOr<Weight> LeasedWeights::Matrix(size_t index, const MatrixShape& shape,
                                             DevicePtr<const float> scales) {
  LT_RETURN_IF_ERROR(backend_.Await());
  LT_ASSIGN_OR_RETURN(const TensorView view, lease_.Tensor(index));
  const PackedMatrix packed = {
      .layer = lease_.layer(), .name = view.name, .dtype = view.dtype, .shape = view.shape};
  return AsWeight(packed, backend_.device().Mapped(view.data), shape, scales);
}

}  // namespace longtake
