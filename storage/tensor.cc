// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/tensor.h"

#include "base/checked.h"

namespace longtake {

absl::StatusOr<uint64_t> TensorBytes(DType dtype, std::span<const int64_t> shape,
                                     const std::string& what) {
  LT_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(shape, what));
  return CheckedProduct({count, DTypeBytes(dtype)}, what);
}

absl::StatusOr<DType> DTypeFromName(std::string_view dtype_name) {
  for (DType dtype : {DType::kF32, DType::kBf16, DType::kF16, DType::kI8}) {
    if (DTypeName(dtype) == dtype_name) return dtype;
  }
  return absl::UnimplementedError("element type " + std::string(dtype_name) +
                                  " is not supported (F32, BF16, F16 and I8 are)");
}

}  // namespace longtake
