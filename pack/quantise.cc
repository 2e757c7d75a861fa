// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/quantise.h"

#include <algorithm>
#include <cmath>

#include "base/status_macros.h"

namespace longtake {

float RowScale(std::span<const float> row) {
  float magnitude = 0.0f;
  for (float value : row) magnitude = std::max(magnitude, std::abs(value));
  return magnitude / 127.0f;
}

void QuantiseRow(std::span<const float> row, float scale, std::span<int8_t> bytes) {
  LT_CHECK(row.size() == bytes.size());
  for (size_t i = 0; i < row.size(); ++i) {
    const double steps = scale == 0.0f ? 0.0 : static_cast<double>(row[i]) / scale;
    bytes[i] = static_cast<int8_t>(std::clamp(std::nearbyint(steps), -127.0, 127.0));
  }
}

}  // namespace longtake
