// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A cache (cache.h) on the host, as a value: to copy, compare and put into a device again.
//
// One thread a lane: copies out of the device are in kCopyOut, copies into it in kCopyIn, so that
// they may be made beside a decoder at work on another stream.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status_macros.h"
#include "engine/backend/device.h"
#include "engine/model/vae/cache.h"

namespace longtake {

struct VaeCacheImage {
  int64_t calls = 0;
  int64_t height = 0;
  int64_t width = 0;
  // Of each entry its frames, oldest first, channels-last.
  std::vector<std::vector<std::vector<float>>> entries;
  friend bool operator==(const VaeCacheImage&, const VaeCacheImage&) = default;
};

// RESOURCE_EXHAUSTED without memory to copy through; errors of the device.
absl::StatusOr<VaeCacheImage> CopyVaeCache(Device& device, const VaeCache& cache);
absl::StatusOr<VaeCache> PutVaeCache(Device& device, const VaeCacheImage& image);

}  // namespace longtake
