// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "tests/cuda/ops_runner.h"

namespace longtake {

std::string WhyNoOpsRun() {
  const absl::Status status = CreateForOps({}).status();
  return status.ok() ? "" : absl::StrCat("SKIPPED, no GPU: ", std::string(status.message()));
}

absl::StatusOr<std::unique_ptr<CudaBackend>> CreateForOps(const CudaBackendOptions& options) {
  LT_ASSIGN_OR_RETURN(auto device, CudaDevice::Create(0));
  CudaLibraries libraries;
  LT_ASSIGN_OR_RETURN(libraries.cublas_lt, LoadCublasLt());
  LT_ASSIGN_OR_RETURN(libraries.cudnn, LoadCudnn());
  return CudaBackend::Create(std::move(device), libraries, options);
}

bool HasModelWidths() { return true; }

void ExpectLibraryCalls(size_t, size_t) {}

}  // namespace longtake
