// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A copy of host memory in a backend's device, which is there when the call returns. For what comes
// at start or admission.
//
// Thread rule: the backend's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/backend/backend.h"

namespace longtake {

// RESOURCE_EXHAUSTED without memory; errors of Backend::Await.
absl::StatusOr<DeviceBuffer> Upload(Backend& backend, std::span<const std::byte> host,
                                    const MemoryPopulator* populator = nullptr);

}  // namespace longtake
