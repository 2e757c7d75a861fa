// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// From named bytes to what an op takes, with the shape checked once more: a pack is a file, and a
// kernel trusts its sizes.
#pragma once

#include <cstdint>
#include <string>

#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/model/matrix_shape.h"
#include "storage/pack/pack_reader.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

// Takes a model's tensors out of its resident section. The first problem is remembered and named,
// so that a constructor reads like a list of tensors and checks once. One thread; pointers live as
// long as the section's memory.
class ResidentLookup {
 public:
  explicit ResidentLookup(const ResidentSection& section) : section_(section) {}

  // count fp32 values, whatever their shape; null after an error.
  const float* Vector(const std::string& name, int64_t count);
  // The same, or null without an error when there is no such tensor.
  const float* OptionalVector(const std::string& name, int64_t count);
  // [out_features, in_features]; trailing dimensions are flattened into in_features.
  Weight Matrix(const std::string& name, int64_t out_features, int64_t in_features);

  // Remembers that a tensor is not what its reader can take.
  void Refuse(const std::string& name, const std::string& expected) { Fail(name, expected); }

  // Remembers what went wrong with what it gave.
  void Fail(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }

  // FAILED_PRECONDITION naming tensor and expectation, NOT_FOUND, what Fail was told, or OK.
  const absl::Status& status() const { return status_; }

 private:
  void Fail(const std::string& name, const std::string& expected);

  const ResidentSection& section_;
  absl::Status status_;
};

// The layer's matrix at index in use order, of that shape, fp32, bf16, or with scales int8; valid
// until the lease moves on. The lease's errors, or FAILED_PRECONDITION naming the tensor.
absl::StatusOr<Weight> LeaseMatrix(LayerLease& lease, size_t index, const MatrixShape& shape,
                                   const float* scales);

}  // namespace longtake
