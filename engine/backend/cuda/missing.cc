// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cuda.h"

namespace longtake {

absl::StatusOr<std::unique_ptr<Device>> CreateCudaDevice(int) {
  return absl::UnimplementedError("this build has no CUDA");
}

}  // namespace longtake
