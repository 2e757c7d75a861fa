// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Consecutive layers of a stack: those that one stage reads and runs. A plain value.
#pragma once

#include <cstdint>

namespace longtake {

struct LayerRange {
  int64_t first = 0;
  int64_t end = INT64_MAX;  // one behind the last; beyond the stack's it means all that follow

  // The same layers in a stack of so many, end within it.
  LayerRange Of(int64_t layers) const { return {first, end < layers ? end : layers}; }
  // How many layers; only of what Of() returned, or of an end within the stack.
  int64_t count() const { return end - first; }
  friend bool operator==(const LayerRange&, const LayerRange&) = default;
};

}  // namespace longtake
