// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Norms over rows. Sums run over 64 fixed lanes and one fixed tree; the variance is taken in a
// second pass around the mean.
#pragma once

#include <cstdint>

namespace longtake {

// out = LN(in) * (gain_offset + gain) + bias, with gain and bias of width elements, shared by
// group_rows rows each and group_stride apart. Row first_row + i of the op is row i of the task.
struct LayerNormTask {
  const float* in = nullptr;  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  float eps = 0.0f;
  float gain_offset = 0.0f;
  const float* gain = nullptr;
  const float* bias = nullptr;
  int64_t first_row = 0;
  int64_t group_rows = 1;
  int64_t group_stride = 0;  // 0: the same for all rows
  float* out = nullptr;
};

// out = in / sqrt(mean(in^2) + eps) * gain
struct RmsNormTask {
  const float* in = nullptr;  // [rows, width]
  int64_t rows = 0;
  int64_t width = 0;
  float eps = 0.0f;
  const float* gain = nullptr;
  float* out = nullptr;
};

}  // namespace longtake
