// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Rows of a matrix as int8: value ~ scale * byte, scale = max |value| / 127, so that no value is
// cut off. A row is an output channel.
#pragma once

#include <cstdint>
#include <span>

namespace longtake {

// 0 for a row of zeros. All values must be finite.
float RowScale(std::span<const float> row);

// To nearest, ties to even; bytes has the row's length.
void QuantiseRow(std::span<const float> row, float scale, std::span<int8_t> bytes);

}  // namespace longtake
