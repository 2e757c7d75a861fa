// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Decoded pixels on their way from the decode lane to a reader.
#pragma once

#include <cstdint>
#include <vector>

#include "base/checksum.h"

namespace longtake {

// One decoded chunk, ready to be encoded or sent raw. Immutable; held by the outbox and by the
// stream that is sending it.
struct MediaChunk {
  int64_t index = 0;
  int64_t first_frame = 0;  // pixel frame number; pts = first_frame / fps
  int64_t frame_count = 0;
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> rgb;  // [frame_count, height, width, 3]
  Hash128 digest;            // XXH3-128 of rgb
  // XXH3-128 of 32 bytes: the previous chunk's chain (zeros at first), then digest, both
  // big-endian.
  Hash128 chain;
};

}  // namespace longtake
