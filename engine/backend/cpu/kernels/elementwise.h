// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What is done element by element, over rows.
#pragma once

#include <cstdint>

namespace longtake {

struct RotaryTask {
  float* x = nullptr;  // [rows, heads * head_dim]
  int64_t rows = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  const float* table = nullptr;  // [rows, head_dim] as cos,sin per pair
};

// x += y * gate; row first_row + i of the op is row i of the task.
struct GatedAddTask {
  float* x = nullptr;
  const float* y = nullptr;
  int64_t rows = 0;
  int64_t width = 0;
  const float* gate = nullptr;  // null is 1
  int64_t first_row = 0;
  int64_t group_rows = 1;
  int64_t group_stride = 0;
};

}  // namespace longtake
