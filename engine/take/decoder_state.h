// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where decoding a take stands between two chunks: with its caches on a device, to go on with, and
// with their images, to be kept.
#pragma once

#include <cstdint>
#include <vector>

#include "base/checksum.h"
#include "engine/model/vae/cache.h"
#include "engine/model/vae/cache_image.h"

namespace longtake {

// Move only; goes before the device of its caches.
struct DecoderState {
  int64_t chunk = 0;             // the next to be decoded
  int64_t next_frame = 0;        // its first pixel frame
  std::vector<VaeCache> caches;  // one, or one a tile
  Hash128 chain;                 // of the chunks so far
};

// A plain value, to copy, compare, write down.
struct SavedDecoder {
  int64_t chunk = 0;
  int64_t next_frame = 0;
  std::vector<VaeCacheImage> caches;
  Hash128 chain;
  friend bool operator==(const SavedDecoder&, const SavedDecoder&) = default;
};

// Errors of CopyVaeCache and PutVaeCache. Nothing of the state is being decoded meanwhile.
inline absl::StatusOr<SavedDecoder> SaveDecoder(Device& device, const DecoderState& state) {
  SavedDecoder saved = {
      .chunk = state.chunk, .next_frame = state.next_frame, .caches = {}, .chain = state.chain};
  for (const VaeCache& cache : state.caches) {
    LT_ASSIGN_OR_RETURN(saved.caches.emplace_back(), CopyVaeCache(device, cache));
  }
  return saved;
}

inline absl::StatusOr<DecoderState> RestoreDecoder(Device& device, const SavedDecoder& saved) {
  DecoderState state = {
      .chunk = saved.chunk, .next_frame = saved.next_frame, .caches = {}, .chain = saved.chain};
  for (const VaeCacheImage& image : saved.caches) {
    LT_ASSIGN_OR_RETURN(state.caches.emplace_back(), PutVaeCache(device, image));
  }
  return state;
}

}  // namespace longtake
