// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/rotary_table.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/backend/upload.h"

namespace longtake {
namespace {

constexpr double kBase = 10000.0;

// Writes channels / 2 pairs of cos, sin for one coordinate.
float* AppendAxis(double coordinate, int64_t channels, float* out) {
  for (int64_t j = 0; j < channels / 2; ++j) {
    const double frequency =
        std::pow(kBase, -2.0 * static_cast<double>(j) / static_cast<double>(channels));
    *out++ = static_cast<float>(std::cos(coordinate * frequency));
    *out++ = static_cast<float>(std::sin(coordinate * frequency));
  }
  return out;
}

}  // namespace

void FillRotaryTable(const TokenGrid& grid, int64_t head_dim, int64_t frame_index,
                     std::span<float> out) {
  LT_CHECK(head_dim % 2 == 0);
  LT_CHECK(out.size() == static_cast<size_t>(grid.tokens() * head_dim));
  const int64_t space = 2 * (head_dim / 6);
  const int64_t time = head_dim - 2 * space;
  const auto axis = [](int64_t positions, int64_t channels, int64_t first) {
    std::vector<float> table(static_cast<size_t>(positions * channels));
    float* next = table.data();
    for (int64_t i = 0; i < positions; ++i) {
      next = AppendAxis(static_cast<double>(first + i), channels, next);
    }
    return table;
  };
  const std::vector<float> frame = axis(1, time, frame_index);
  const std::vector<float> rows = axis(grid.height, space, 0);
  const std::vector<float> columns = axis(grid.width, space, 0);
  auto next = out.begin();
  for (int64_t y = 0; y < grid.height; ++y) {
    for (int64_t x = 0; x < grid.width; ++x) {
      next = std::copy(frame.begin(), frame.end(), next);
      next = std::copy_n(rows.begin() + y * space, space, next);
      next = std::copy_n(columns.begin() + x * space, space, next);
    }
  }
}

void RotaryTables::BeginSweep() {
  std::erase_if(tables_, [this](const auto& entry) { return entry.second.sweep != sweep_; });
  ++sweep_;
}

absl::StatusOr<DevicePtr<const float>> RotaryTables::Get(const TokenGrid& grid,
                                                         int64_t frame_index) {
  Table& table = tables_[std::make_tuple(grid.height, grid.width, frame_index)];
  table.sweep = sweep_;
  if (table.values.size() == 0) {
    std::vector<float> values(static_cast<size_t>(grid.tokens() * head_dim_));
    FillRotaryTable(grid, head_dim_, frame_index, values);
    LT_ASSIGN_OR_RETURN(table.values, Upload(*backend_, std::as_bytes(std::span(values))));
  }
  return table.values.As<float>();
}

}  // namespace longtake
