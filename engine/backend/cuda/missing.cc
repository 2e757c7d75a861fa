// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cuda.h"

namespace longtake {

uint64_t CudaScratchBytes(const CudaBackendOptions&) { return 0; }

absl::StatusOr<std::unique_ptr<Device>> CreateCudaDevice(int) {
  return absl::UnimplementedError("this build has no CUDA");
}

absl::StatusOr<std::unique_ptr<Backend>> CreateCudaBackend(const CudaBackendOptions&) {
  return absl::UnimplementedError("this build has no CUDA");
}

}  // namespace longtake
