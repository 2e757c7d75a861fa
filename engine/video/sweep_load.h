// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The size of a sweep, for those who run sweeps and those who predict them.
#pragma once

#include <cstdint>

namespace longtake {

// What a sweep has to do.
struct SweepLoad {
  int64_t tokens = 0;           // rows of all sessions
  int64_t context_rows = 0;     // of K/V that each of them attends to beside its own chunk's
  uint64_t kv_layer_bytes = 0;  // of K/V that arrive from the file with each layer
};

}  // namespace longtake
