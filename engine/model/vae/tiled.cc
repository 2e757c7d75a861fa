// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/tiled.h"

#include <algorithm>
#include <utility>

#include "engine/model/vae/latent_grid.h"

namespace longtake {
namespace {

constexpr int64_t kChannels = 3;

// Decoded pixels of one tile, [frames, height, width, 3].
struct TilePixels {
  int64_t height = 0;
  int64_t width = 0;
  std::vector<float> values;

  float* row(int64_t frame, int64_t y) {
    return values.data() + (frame * height + y) * width * kChannels;
  }
  int64_t frames() const {
    return static_cast<int64_t>(values.size()) / (height * width * kChannels);
  }
};

// This tile's latents out of [channels, frames, height, width].
std::vector<float> Cut(const VaeLatents& latents, int64_t channels, const VaeTile& tile) {
  std::vector<float> out;
  out.reserve(static_cast<size_t>(channels * latents.frames * tile.height * tile.width));
  for (int64_t plane = 0; plane < channels * latents.frames; ++plane) {
    for (int64_t y = 0; y < tile.height; ++y) {
      const auto from = latents.values.begin() +
                        (plane * latents.height + tile.top + y) * latents.width + tile.left;
      out.insert(out.end(), from, from + tile.width);
    }
  }
  return out;
}

// The first rows of a tile fade in over the last rows of the one above.
void BlendAbove(TilePixels& above, int64_t blend, TilePixels& tile) {
  const int64_t extent = std::min({above.height, tile.height, blend});
  for (int64_t frame = 0; frame < tile.frames(); ++frame) {
    for (int64_t y = 0; y < extent; ++y) {
      const float share = static_cast<float>(y) / static_cast<float>(extent);
      const float* old = above.row(frame, above.height - extent + y);
      float* row = tile.row(frame, y);
      for (int64_t i = 0; i < tile.width * kChannels; ++i) {
        row[i] = old[i] * (1.0f - share) + row[i] * share;
      }
    }
  }
}

void BlendLeft(TilePixels& left, int64_t blend, TilePixels& tile) {
  const int64_t extent = std::min({left.width, tile.width, blend});
  for (int64_t frame = 0; frame < tile.frames(); ++frame) {
    for (int64_t y = 0; y < tile.height; ++y) {
      const float* old = left.row(frame, y) + (left.width - extent) * kChannels;
      float* row = tile.row(frame, y);
      for (int64_t i = 0; i < extent * kChannels; ++i) {
        const int64_t column = i / kChannels;
        const float share = static_cast<float>(column) / static_cast<float>(extent);
        row[i] = old[i] * (1.0f - share) + row[i] * share;
      }
    }
  }
}

}  // namespace

std::vector<VaeTile> PlanTiles(const VaeTiling& tiling, int64_t height, int64_t width) {
  std::vector<VaeTile> tiles;
  for (int64_t top = 0; top < height; top += tiling.stride) {
    for (int64_t left = 0; left < width; left += tiling.stride) {
      tiles.push_back(
          {top, left, std::min(tiling.tile, height - top), std::min(tiling.tile, width - left)});
    }
  }
  return tiles;
}

absl::Status DecodeTiledToFloat(WanVaeDecoder& decoder, const VaeTiling& tiling,
                                const VaeLatents& latents, std::vector<VaeCache>& caches,
                                std::vector<float>* pixels) {
  LT_RETURN_IF_ERROR(decoder.Check(latents));
  const std::vector<VaeTile> tiles = PlanTiles(tiling, latents.height, latents.width);
  if (caches.empty()) caches.resize(tiles.size());
  if (caches.size() != tiles.size()) {
    return absl::InvalidArgumentError("latents: of another size than the stream's");
  }
  const int64_t blend = (tiling.tile - tiling.stride) * kVaeSpaceFactor;
  const int64_t keep = tiling.stride * kVaeSpaceFactor;
  const int64_t out_width = latents.width * kVaeSpaceFactor;
  const int64_t out_height = latents.height * kVaeSpaceFactor;
  // A tile is blended with its neighbours as they were left, so a row of them stays.
  std::vector<TilePixels> above;
  std::vector<TilePixels> row;
  for (size_t i = 0; i < tiles.size(); ++i) {
    const VaeTile& tile = tiles[i];
    if (tile.left == 0) above = std::exchange(row, {});
    const std::vector<float> cut = Cut(latents, decoder.config().z_dim, tile);
    TilePixels& out = row.emplace_back();
    out.height = tile.height * kVaeSpaceFactor;
    out.width = tile.width * kVaeSpaceFactor;
    LT_RETURN_IF_ERROR(
        decoder.DecodeToFloat({cut, latents.frames, tile.height, tile.width, latents.keep_going},
                              caches[i], &out.values));
    if (!above.empty()) BlendAbove(above[row.size() - 1], blend, out);
    if (row.size() > 1) BlendLeft(row[row.size() - 2], blend, out);
    if (i == 0) {
      pixels->resize(static_cast<size_t>(out.frames() * out_height * out_width * kChannels));
    }
    for (int64_t frame = 0; frame < out.frames(); ++frame) {
      for (int64_t y = 0; y < std::min(keep, out.height); ++y) {
        const int64_t at = ((frame * out_height + tile.top * kVaeSpaceFactor + y) * out_width +
                            tile.left * kVaeSpaceFactor) *
                           kChannels;
        std::copy_n(out.row(frame, y), std::min(keep, out.width) * kChannels, pixels->begin() + at);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status DecodeTiled(WanVaeDecoder& decoder, const VaeTiling& tiling, const VaeLatents& latents,
                         std::vector<VaeCache>& caches, std::vector<uint8_t>* rgb) {
  std::vector<float> pixels;
  LT_RETURN_IF_ERROR(DecodeTiledToFloat(decoder, tiling, latents, caches, &pixels));
  rgb->resize(pixels.size());
  std::transform(pixels.begin(), pixels.end(), rgb->begin(), PixelByte);
  return absl::OkStatus();
}

std::vector<VaeCache> TiledCachesInMidStream(const std::vector<VaeLayer>& layers,
                                             const VaeTiling& tiling, int64_t calls, int64_t height,
                                             int64_t width) {
  std::vector<VaeCache> caches;
  for (const VaeTile& tile : PlanTiles(tiling, height, width)) {
    caches.push_back(VaeCacheInMidStream(layers, calls, tile.height, tile.width));
  }
  return caches;
}

uint64_t TiledCacheBytes(const VaeConfig& config, const VaeTiling& tiling, int64_t height,
                         int64_t width) {
  uint64_t bytes = 0;
  for (const VaeTile& tile : PlanTiles(tiling, height, width)) {
    bytes += VaeCacheBytes(config, tile.height, tile.width);
  }
  return bytes;
}

uint64_t TiledScratchBytes(const VaeConfig& config, const VaeTiling& tiling, int64_t height,
                           int64_t width) {
  const int64_t tile_height = std::min(tiling.tile, height);
  const int64_t tile_width = std::min(tiling.tile, width);
  const uint64_t frame_bytes = kVaeSpaceFactor * kVaeSpaceFactor * kChannels * sizeof(float);
  // Two rows of tiles, which overlap, and the frame they make.
  const uint64_t columns = static_cast<uint64_t>((width + tiling.stride - 1) / tiling.stride);
  const uint64_t rows = 2 * columns * static_cast<uint64_t>(tile_height * tile_width);
  return VaeScratchBytes(config, tile_height, tile_width) +
         kVaeTimeFactor * frame_bytes * (rows + static_cast<uint64_t>(height * width));
}

}  // namespace longtake
