// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where a test's op list of CUDA computes: on fakes of CUDA's libraries, or on a GPU, by what the
// test is linked with.
#pragma once

#include <memory>
#include <string>

#include "engine/backend/cuda/cuda_backend.h"

namespace longtake {

// Empty where it does.
std::string WhyNoOpsRun();
absl::StatusOr<std::unique_ptr<CudaBackend>> CreateForOps(const CudaBackendOptions& options);
// Fakes compute what is small.
bool HasModelWidths();
// Of the backend created last; a GPU's are not counted.
void ExpectLibraryCalls(size_t products, size_t attentions);

}  // namespace longtake
