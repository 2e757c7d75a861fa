// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/cache_image.h"

#include <algorithm>
#include <span>
#include <utility>

namespace longtake {
namespace {

constexpr int64_t kCopyTimeoutNanos = int64_t{60} * 1'000'000'000;

absl::Status Await(Device& device, Lane lane) {
  return device.Wait(device.Mark(lane), kCopyTimeoutNanos);
}

}  // namespace

absl::StatusOr<VaeCacheImage> CopyVaeCache(Device& device, const VaeCache& cache) {
  VaeCacheImage image = {
      .calls = cache.calls, .height = cache.height, .width = cache.width, .entries = {}};
  for (const VaeCacheEntry& entry : cache.entries) {
    std::vector<std::vector<float>>& frames = image.entries.emplace_back();
    for (const VaeFrame& frame : entry.frames) {
      LT_ASSIGN_OR_RETURN(AlignedBuffer pinned, device.AllocatePinned(frame.size(), nullptr));
      device.CopyOut(Lane::kCopyOut, pinned.span(), frame.As<std::byte>());
      LT_RETURN_IF_ERROR(Await(device, Lane::kCopyOut));
      const auto* values = reinterpret_cast<const float*>(pinned.data());
      frames.emplace_back(values, values + frame.size() / sizeof(float));
    }
  }
  return image;
}

absl::StatusOr<VaeCache> PutVaeCache(Device& device, const VaeCacheImage& image) {
  VaeCache cache = {
      .calls = image.calls, .height = image.height, .width = image.width, .entries = {}};
  for (const std::vector<std::vector<float>>& frames : image.entries) {
    VaeCacheEntry& entry = cache.entries.emplace_back();
    for (const std::vector<float>& values : frames) {
      const auto bytes = std::as_bytes(std::span(values));
      LT_ASSIGN_OR_RETURN(VaeFrame frame, device.Allocate(bytes.size(), nullptr));
      LT_ASSIGN_OR_RETURN(AlignedBuffer pinned, device.AllocatePinned(bytes.size(), nullptr));
      std::copy(bytes.begin(), bytes.end(), pinned.data());
      device.CopyIn(Lane::kCopyIn, frame.As<std::byte>(), pinned.span());
      LT_RETURN_IF_ERROR(Await(device, Lane::kCopyIn));
      entry.frames.push_back(std::move(frame));
    }
  }
  return cache;
}

}  // namespace longtake
