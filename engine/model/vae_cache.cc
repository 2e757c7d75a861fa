// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae_cache.h"

#include "absl/strings/str_cat.h"
#include "base/checked.h"

namespace longtake {

uint64_t VaeCache::bytes() const {
  uint64_t sum = 0;
  for (const VaeSlot& slot : slots) {
    for (const VaeFrame& frame : slot.frames) sum += frame.size() * sizeof(float);
  }
  return sum;
}

uint64_t VaeCacheBytes(const VaeConfig& config, int64_t height, int64_t width) {
  if (height < 0 || width < 0) return UINT64_MAX;
  // Shapes at 1 x 1 are small numbers; the latent's area multiplies them all.
  uint64_t floats = 0;
  for (const VaeSlotShape& slot : VaeSlots(VaeDecoderStages(config), 1, 1)) {
    floats += static_cast<uint64_t>(slot.frame_floats() * slot.frames_max);
  }
  const auto bytes = CheckedProduct(
      {floats, static_cast<uint64_t>(height), static_cast<uint64_t>(width), sizeof(float)},
      "VAE cache");
  return bytes.ok() ? *bytes : UINT64_MAX;
}

absl::Status CheckVaeCache(const VaeCache& cache, const std::vector<VaeStage>& stages,
                           int64_t height, int64_t width) {
  if (cache.calls == 0 && cache.slots.empty()) return absl::OkStatus();
  if (cache.height != height || cache.width != width) {
    return absl::InvalidArgumentError(absl::StrCat("VAE cache: of latents ", cache.height, " x ",
                                                   cache.width, ", given ", height, " x ", width));
  }
  const std::vector<VaeSlotShape> slots = VaeSlots(stages, height, width);
  if (cache.calls <= 0 || cache.slots.size() != slots.size()) {
    return absl::InvalidArgumentError(absl::StrCat("VAE cache: ", cache.slots.size(),
                                                   " slots after ", cache.calls,
                                                   " calls, expected ", slots.size()));
  }
  for (size_t i = 0; i < slots.size(); ++i) {
    const std::vector<VaeFrame>& frames = cache.slots[i].frames;
    bool ok = frames.size() <= static_cast<size_t>(slots[i].frames_max);
    for (const VaeFrame& frame : frames) {
      ok = ok && frame.size() == static_cast<size_t>(slots[i].frame_floats());
    }
    // Downsampling in time has nothing to fall back on: after the first call it holds its frame.
    if (slots[i].frames_max == 1) ok = ok && frames.size() == 1;
    if (!ok) return absl::InvalidArgumentError(absl::StrCat("VAE cache: slot ", i, ": wrong size"));
  }
  return absl::OkStatus();
}

}  // namespace longtake
