// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The size of a sweep, as the runner counts it and the cost model predicts by it. A plain value.
#pragma once

#include <cstdint>

namespace longtake {

// What a sweep has to do.
struct SweepLoad {
  int64_t tokens = 0;           // rows of all sessions
  int64_t pairs = 0;            // of a row with a row of K/V that it attends to, its own included
  uint64_t kv_layer_bytes = 0;  // of K/V that arrive from the file with each layer

  // Rows of one forward, which attend to each other and to those of its context.
  static constexpr SweepLoad Forward(int64_t rows, int64_t context_rows = 0) {
    return {.tokens = rows, .pairs = rows * (rows + context_rows)};
  }
  constexpr void Add(const SweepLoad& other) {
    tokens += other.tokens;
    pairs += other.pairs;
    kv_layer_bytes += other.kv_layer_bytes;
  }
  friend bool operator==(const SweepLoad&, const SweepLoad&) = default;
};

}  // namespace longtake
