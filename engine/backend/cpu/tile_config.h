// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What AMX's LDTILECFG reads: palette 1, eight tiles of 16 rows of 64 bytes.
#pragma once

#include <cstdint>

namespace longtake {

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// A constant (not inline: kernels may not share symbols): GCC's intrinsic tells the compiler of the first eight bytes only, so the rest of a
// local one would never be written.
constexpr TileConfig kTileConfig;

}  // namespace longtake
