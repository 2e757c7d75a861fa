// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where decoding a take stands between two chunks: a plain value, to copy, compare, write down.
#pragma once

#include <cstdint>
#include <vector>

#include "base/checksum.h"
#include "engine/model/vae/cache.h"

namespace longtake {

struct DecoderState {
  int64_t chunk = 0;             // the next to be decoded
  int64_t next_frame = 0;        // its first pixel frame
  std::vector<VaeCache> caches;  // one, or one a tile
  Hash128 chain;                 // of the chunks so far
  friend bool operator==(const DecoderState&, const DecoderState&) = default;
};

}  // namespace longtake
