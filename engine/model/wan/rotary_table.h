// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Rotation angles of the 3-D rotary embedding (docs/spec 2.6): a head's channel pairs are split
// between time, row and column. Angles are computed in double, so any frame index is exact enough;
// an fp32 angle would be off by 2e-4 after a few thousand frames.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <tuple>

#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/model/wan/token_grid.h"

namespace longtake {

// Fills out [grid.tokens(), head_dim] with cos, sin per channel pair. head_dim is even.
void FillRotaryTable(const TokenGrid& grid, int64_t head_dim, int64_t frame_index,
                     std::span<float> out);

// The tables of a sweep, by grid and frame index. A window moves by one chunk at a time, so those
// of the sweep before stay: at most twice what a sweep needs, tokens * head_dim floats for each
// frame it attends to, well under a hundredth of a large model's K/V. They lie in the memory of the
// backend's device. The backend's thread.
class RotaryTables {
 public:
  RotaryTables(Backend& backend, int64_t head_dim) : backend_(&backend), head_dim_(head_dim) {}

  // Forgets what the sweep before did not ask for. Between sweeps, when nothing is under way.
  void BeginSweep();
  // [grid.tokens(), head_dim]; valid until the next BeginSweep but one. Errors as Upload.
  absl::StatusOr<DevicePtr<const float>> Get(const TokenGrid& grid, int64_t frame_index);

  size_t size() const { return tables_.size(); }

 private:
  struct Table {
    DeviceBuffer values;
    uint64_t sweep = 0;  // the last that asked
  };
  Backend* backend_;
  int64_t head_dim_;
  uint64_t sweep_ = 0;
  std::map<std::tuple<int64_t, int64_t, int64_t>, Table> tables_;
};

}  // namespace longtake
