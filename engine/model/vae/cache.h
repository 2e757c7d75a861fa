// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What decoding or encoding one stream keeps between calls: for each causal convolution its last
// input frames (docs/spec 6.1), in the memory of the device that works on the stream. Move it or
// keep it; a new one starts a stream. One thread at a time. It goes before the device, and when
// nothing that was put into a lane reads it any more: so it is whenever a call has returned.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status_macros.h"
#include "engine/backend/device.h"
#include "engine/model/vae/config.h"
#include "engine/model/vae/layers.h"

namespace longtake {

using VaeFrame = DeviceBuffer;  // fp32, channels-last [height, width, channels]

struct VaeCacheEntry {
  std::vector<VaeFrame> frames;  // oldest first; fewer than the entry holds at the stream's start
};

struct VaeCache {
  int64_t calls = 0;   // latents so far; the first one is special
  int64_t height = 0;  // of the latents; 0 before the first call
  int64_t width = 0;
  std::vector<VaeCacheEntry> entries;  // in order of execution; empty before the first call

  uint64_t bytes() const;
};

// A decoder's cache to begin with after so many latents that it did not see, at least 1. It holds
// nothing, which stands for zeros, so the first pixels are wrong: after WarmUpLatents it is that of
// the whole stream.
VaeCache VaeCacheInMidStream(const std::vector<VaeLayer>& layers, int64_t calls, int64_t height,
                             int64_t width);

// Bytes of a full decoder cache at this latent size; UINT64_MAX when it does not fit 64 bits.
uint64_t VaeCacheBytes(const VaeConfig& config, int64_t height, int64_t width);

// Bytes a decoder needs for activations at this latent size, whatever the number of streams;
// UINT64_MAX as above.
uint64_t VaeScratchBytes(const VaeConfig& config, int64_t height, int64_t width);

// The same of an encoder; its cache lives for one encoding.
uint64_t VaeEncoderCacheBytes(const VaeConfig& config, int64_t height, int64_t width);
uint64_t VaeEncoderScratchBytes(const VaeConfig& config, int64_t height, int64_t width);

// The same of the tiny decoder.
uint64_t TinyDecoderCacheBytes(int64_t height, int64_t width);
uint64_t TinyDecoderScratchBytes(int64_t height, int64_t width);

// INVALID_ARGUMENT naming the entry whose frames do not have the shape the layers ask for at this
// latent size: a cache of another model or stream, or a damaged one.
absl::Status CheckVaeCache(const VaeCache& cache, const std::vector<VaeLayer>& layers,
                           int64_t height, int64_t width);

}  // namespace longtake
