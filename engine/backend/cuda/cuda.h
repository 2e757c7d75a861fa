// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// NVIDIA GPUs. A build without CUDA has the same functions, which say so.
#pragma once

#include <memory>

#include "base/status_macros.h"
#include "engine/backend/device.h"

namespace longtake {

// The GPU of this number, as CUDA counts them. UNIMPLEMENTED in a build without CUDA, UNAVAILABLE
// with what CUDA says when there is no such GPU, or none that longtake computes on.
absl::StatusOr<std::unique_ptr<Device>> CreateCudaDevice(int index);

}  // namespace longtake
