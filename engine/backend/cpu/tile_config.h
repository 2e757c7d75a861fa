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

// A constant, since GCC's intrinsic tells the compiler of the first eight bytes only, so that the
// rest of a local one would never be written; not inline, since kernels may not share symbols.
constexpr TileConfig kTileConfig;

}  // namespace longtake
