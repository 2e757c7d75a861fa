// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Rotation angles of the 3-D rotary embedding (docs/spec 2): a head's channel pairs are split
// between time, row and column. Angles are computed in double, so any frame index is exact enough;
// an fp32 angle would be off by 2e-4 after a few thousand frames.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <vector>

namespace longtake {

// Tokens of one latent frame.
struct TokenGrid {
  int64_t height = 0;
  int64_t width = 0;
  int64_t tokens() const { return height * width; }
};

// Fills out [grid.tokens(), head_dim] with cos, sin per channel pair. head_dim is even.
void FillRotaryTable(const TokenGrid& grid, int64_t head_dim, int64_t frame_index,
                     std::span<float> out);

// Tables by grid and frame index: a window moves by one chunk at a time, so nearly all are met
// again. Each is tokens * head_dim floats, well under a hundredth of the frame's K/V. One thread.
class RotaryTables {
 public:
  RotaryTables(int64_t head_dim, size_t tables_max)
      : head_dim_(head_dim), tables_max_(tables_max) {}

  // [grid.tokens(), head_dim]; valid until the next Trim.
  const float* Get(const TokenGrid& grid, int64_t frame_index);
  // Forgets everything when more than tables_max are held. Call between passes.
  void Trim();

 private:
  int64_t head_dim_;
  size_t tables_max_;
  std::map<std::tuple<int64_t, int64_t, int64_t>, std::vector<float>> tables_;
};

}  // namespace longtake
