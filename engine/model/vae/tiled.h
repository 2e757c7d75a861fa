// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Decoding a large frame tile by tile (spec 6.5): overlapping tiles, each over all time with its
// own cache, blended linearly where they meet. Needs the activations of one tile only. The pixels
// are not those of the whole frame: attention sees its tile, and convolutions end at its border.
//
// Thread rule: the decoder's.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status_macros.h"
#include "engine/model/vae/decoder.h"

namespace longtake {

// In latent cells; the published defaults.
struct VaeTiling {
  int64_t tile = 32;
  int64_t stride = 24;
};

struct VaeTile {
  int64_t top = 0;
  int64_t left = 0;
  int64_t height = 0;
  int64_t width = 0;
};
// Row by row; the last of a row or column may be smaller. Pure.
std::vector<VaeTile> PlanTiles(const VaeTiling& tiling, int64_t height, int64_t width);

// As WanVaeDecoder::Decode, with one cache a tile in the order of PlanTiles; empty at first.
absl::Status DecodeTiled(WanVaeDecoder& decoder, const VaeTiling& tiling, const VaeLatents& latents,
                         std::vector<VaeCache>& caches, std::vector<uint8_t>* rgb);
// Before rounding to bytes, without the clamp; for golden tests.
absl::Status DecodeTiledToFloat(WanVaeDecoder& decoder, const VaeTiling& tiling,
                                const VaeLatents& latents, std::vector<VaeCache>& caches,
                                std::vector<float>* pixels);

// VaeCacheInMidStream of each tile.
std::vector<VaeCache> TiledCachesInMidStream(const std::vector<VaeLayer>& layers,
                                             const VaeTiling& tiling, int64_t calls, int64_t height,
                                             int64_t width);

// Memory a session holds between chunks, and what one latent is decoded in.
uint64_t TiledCacheBytes(const VaeConfig& config, const VaeTiling& tiling, int64_t height,
                         int64_t width);
uint64_t TiledScratchBytes(const VaeConfig& config, const VaeTiling& tiling, int64_t height,
                           int64_t width);

}  // namespace longtake
