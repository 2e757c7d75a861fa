// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/cache.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/checked.h"

namespace longtake {

uint64_t VaeCache::bytes() const {
  uint64_t sum = 0;
  for (const VaeCacheEntry& entry : entries) {
    for (const VaeFrame& frame : entry.frames) sum += frame.size();
  }
  return sum;
}

namespace {

// Of floats at a latent of 1 x 1, scaled to a real one.
uint64_t BytesAt(uint64_t floats, int64_t height, int64_t width) {
  if (height < 0 || width < 0) return UINT64_MAX;
  const auto bytes = CheckedProduct(
      {floats, static_cast<uint64_t>(height), static_cast<uint64_t>(width), sizeof(float)}, "VAE");
  return bytes.ok() ? *bytes : UINT64_MAX;
}

// How many frames of each size, in floats, a layer holds at once.
using FrameCounts = std::map<int64_t, int64_t>;

FrameCounts FramesOf(const VaeLayer& layer, int64_t frames) {
  const int64_t area = int64_t{1} << (2 * layer.level);
  const int64_t in = layer.in_channels * area;
  const int64_t out = layer.out_channels * area;
  FrameCounts counts;
  counts[in] += frames;
  switch (layer.kind) {
    case VaeLayerKind::kRes:
      counts[in] += frames;
      counts[out] += in == out ? frames : 2 * frames;
      break;
    case VaeLayerKind::kAttention:
      counts[in] += frames;
      counts[in + layer.in_channels % 2 * area] += 4;  // q, k, v and what they give
      break;
    case VaeLayerKind::kUp3d:
      counts[in] += 2 * frames;
      counts[4 * out] += 2 * frames;
      break;
    case VaeLayerKind::kUp2d:
      counts[4 * out] += frames;
      break;
    case VaeLayerKind::kDown2d:  // its level is the output's
    case VaeLayerKind::kDown3d:
      counts.clear();
      counts[4 * in] += frames;
      counts[out] += 2 * frames;
      break;
    case VaeLayerKind::kHead:
      counts[in] += frames;
      counts[out] += frames;
      break;
    case VaeLayerKind::kPlainUp:
      counts[4 * out] += frames;
      break;
    case VaeLayerKind::kGrow:
      counts[out] += frames * layer.growth;
      break;
    case VaeLayerKind::kMemory:
      counts[in] += frames + 2;  // what comes out, and two convolutions of one frame
      break;
    default:
      counts[out] += frames;
  }
  return counts;
}

// Host memory that frames come and go through.
uint64_t StagingFloats(const std::vector<VaeLayer>& layers) {
  const auto floats = [](int64_t channels, int64_t level) {
    return static_cast<uint64_t>(channels << (2 * level));
  };
  return std::max(floats(layers.front().in_channels, layers.front().level),
                  floats(layers.back().out_channels, layers.back().level));
}

// At a latent of 1 x 1, for a call that begins with so many frames.
uint64_t ScratchFloats(const std::vector<VaeLayer>& layers, int64_t frames) {
  FrameCounts most;  // the pool keeps what any layer needed
  for (const VaeLayer& layer : layers) {
    for (const auto& [floats, count] : FramesOf(layer, frames)) {
      most[floats] = std::max(most[floats], count);
    }
    if (layer.kind == VaeLayerKind::kUp3d) frames *= 2;
    if (layer.kind == VaeLayerKind::kDown3d) frames /= 2;
    frames *= layer.growth;
  }
  uint64_t sum = StagingFloats(layers);
  for (const auto& [floats, count] : most) sum += static_cast<uint64_t>(floats * count);
  return sum;
}

uint64_t CacheFloats(const std::vector<VaeLayer>& layers) {
  uint64_t sum = 0;
  for (const VaeCacheEntryShape& entry : VaeCacheEntries(layers, 1, 1)) {
    sum += static_cast<uint64_t>(entry.frame_floats() * entry.frames_max);
  }
  return sum;
}

}  // namespace

uint64_t VaeScratchBytes(const VaeConfig& config, int64_t height, int64_t width) {
  return BytesAt(ScratchFloats(VaeDecoderLayers(config), 1), height, width);
}

uint64_t VaeEncoderScratchBytes(const VaeConfig& config, int64_t height, int64_t width) {
  return BytesAt(ScratchFloats(VaeEncoderLayers(config), kVaeTimeFactor), height, width);
}

uint64_t VaeCacheBytes(const VaeConfig& config, int64_t height, int64_t width) {
  return BytesAt(CacheFloats(VaeDecoderLayers(config)), height, width);
}

uint64_t VaeEncoderCacheBytes(const VaeConfig& config, int64_t height, int64_t width) {
  return BytesAt(CacheFloats(VaeEncoderLayers(config)), height, width);
}

uint64_t TinyDecoderScratchBytes(int64_t height, int64_t width) {
  return BytesAt(ScratchFloats(TinyDecoderLayers(), 1), height, width);
}

uint64_t TinyDecoderCacheBytes(int64_t height, int64_t width) {
  return BytesAt(CacheFloats(TinyDecoderLayers()), height, width);
}

VaeCache VaeCacheInMidStream(const std::vector<VaeLayer>& layers, int64_t calls, int64_t height,
                             int64_t width) {
  VaeCache cache = {.calls = calls, .height = height, .width = width, .entries = {}};
  cache.entries.resize(VaeCacheEntries(layers, height, width).size());
  return cache;
}

absl::Status CheckVaeCache(const VaeCache& cache, const std::vector<VaeLayer>& layers,
                           int64_t height, int64_t width) {
  if (cache.calls == 0 && cache.entries.empty()) return absl::OkStatus();
  if (cache.height != height || cache.width != width) {
    return absl::InvalidArgumentError(absl::StrCat("VAE cache: of latents ", cache.height, " x ",
                                                   cache.width, ", given ", height, " x ", width));
  }
  const std::vector<VaeCacheEntryShape> entries = VaeCacheEntries(layers, height, width);
  if (cache.calls <= 0 || cache.entries.size() != entries.size()) {
    return absl::InvalidArgumentError(absl::StrCat("VAE cache: ", cache.entries.size(),
                                                   " entries after ", cache.calls,
                                                   " calls, expected ", entries.size()));
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    const std::vector<VaeFrame>& frames = cache.entries[i].frames;
    bool ok = frames.size() <= static_cast<size_t>(entries[i].frames_max);
    for (const VaeFrame& frame : frames) {
      ok = ok && frame.size() == static_cast<uint64_t>(entries[i].frame_floats()) * sizeof(float);
    }
    if (entries[i].needed) ok = ok && !frames.empty();
    if (!ok)
      return absl::InvalidArgumentError(absl::StrCat("VAE cache: entry ", i, ": wrong size"));
  }
  return absl::OkStatus();
}

}  // namespace longtake
