// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/pack/block_crcs.h"

#include <algorithm>

#include "base/checked.h"
#include "base/checksum.h"

namespace longtake {
namespace {

// Enough for handing it out not to count. Tiles are few, as loops share the workers tile by tile:
// many small ones would each wait for a large one of the decoder's.
constexpr uint64_t kTileBytesMin = 4 << 20;
constexpr uint64_t kTilesPerWorker = 2;

uint64_t TileBytes(uint64_t bytes, const WorkerPool* workers) {
  if (workers == nullptr || workers->thread_count() == 1) return std::max<uint64_t>(bytes, 1);
  const auto tiles = kTilesPerWorker * static_cast<uint64_t>(workers->thread_count());
  return std::max(kTileBytesMin, CeilDiv(bytes, tiles));
}

}  // namespace

std::vector<uint32_t> BlockCrcs(std::span<const std::byte> bytes, uint64_t crc_block_bytes,
                                WorkerPool* workers) {
  std::vector<uint32_t> sums(CeilDiv(bytes.size(), crc_block_bytes));
  const uint64_t per_tile = CeilDiv(TileBytes(bytes.size(), workers), crc_block_bytes);
  const auto tile = [&](int64_t index, int) {
    const uint64_t first = static_cast<uint64_t>(index) * per_tile;
    const uint64_t end = std::min<uint64_t>(first + per_tile, sums.size());
    for (uint64_t block = first; block < end; ++block) {
      const uint64_t at = block * crc_block_bytes;
      sums[block] = Crc32c(bytes.subspan(at, std::min(crc_block_bytes, bytes.size() - at)));
    }
  };
  const auto tiles = static_cast<int64_t>(CeilDiv(sums.size(), per_tile));
  if (tiles > 1) {
    workers->ParallelFor(tiles, tile);
  } else {
    for (int64_t index = 0; index < tiles; ++index) tile(index, 0);
  }
  return sums;
}

}  // namespace longtake
