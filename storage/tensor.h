// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The three faces of a tensor in storage: declared (before it has an offset), placed (in a file),
// and lent (in memory). All are plain values. Matrices are [out, in], row-major, without padding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/status_macros.h"

namespace longtake {

struct TensorDecl {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
};

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  uint64_t offset = 0;  // from the start of its part or section
  uint64_t bytes = 0;
};

// Borrowed: valid while the lease or section it came from lives.
struct TensorView {
  std::string_view name;
  DType dtype = DType::kF32;
  std::span<const int64_t> shape;
  const std::byte* data = nullptr;  // aligned to 256 bytes
  uint64_t bytes = 0;
};

// Bytes of a tensor; a negative extent or an overflow is INVALID_ARGUMENT naming what.
absl::StatusOr<uint64_t> TensorBytes(DType dtype, std::span<const int64_t> shape,
                                     const std::string& what);
// From the name safetensors uses; UNIMPLEMENTED for one that longtake does not compute with.
absl::StatusOr<DType> DTypeFromName(std::string_view dtype_name);

}  // namespace longtake
