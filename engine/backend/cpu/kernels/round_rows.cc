// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Rows of floats as bf16, zero up to the next block of 64 bytes.
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/word_panel.h"
#include "engine/backend/cpu/simd_bf16.h"

namespace longtake::LONGTAKE_ISA {

void RoundRowsKernel(const NarrowRowsTask& task) {
  for (int64_t r = 0; r < task.rows; ++r) {
    const float* row = task.in + r * task.in_features;
    uint8_t* out = NarrowRow(task.out, r);
    for (int64_t i = 0; i < task.in_features; i += 2 * kLanes) {
      const int64_t left = task.in_features - i;
      const F32x16 low = LoadMasked(FirstLanes(left), row + i);
      const F32x16 high = LoadMasked(FirstLanes(left - kLanes), row + i + kLanes);
      StoreBf16(out, low, high);
      out += task.out.run_step;
    }
  }
}

}  // namespace longtake::LONGTAKE_ISA
