// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/upload.h"

#include <algorithm>

namespace longtake {

absl::StatusOr<DeviceBuffer> Upload(Backend& backend, std::span<const std::byte> host,
                                    const MemoryPopulator* populator) {
  Device& device = backend.device();
  LT_ASSIGN_OR_RETURN(DeviceBuffer buffer, device.Allocate(host.size(), populator));
  LT_ASSIGN_OR_RETURN(AlignedBuffer pinned, device.AllocatePinned(host.size(), nullptr));
  std::copy(host.begin(), host.end(), pinned.data());
  device.CopyIn(backend.lane(), buffer.As<std::byte>(), pinned.span());
  LT_RETURN_IF_ERROR(backend.Await());
  return buffer;
}

}  // namespace longtake
