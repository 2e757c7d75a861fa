// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels/elementwise.h"

#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/simd.h"

namespace longtake::LONGTAKE_ISA {

void RotaryKernel(const RotaryTask& task) {
  float* x = task.x;
  for (int64_t row = 0; row < task.rows; ++row) {
    const float* table = task.table + row * task.head_dim;
    for (int64_t head = 0; head < task.heads; ++head, x += task.head_dim) {
      for (int64_t i = 0; i < task.head_dim; i += kLanes) {
        const Mask16 mask = FirstLanes(task.head_dim - i);
        const F32x16 pairs = LoadMasked(mask, x + i);
        StoreMasked(x + i, mask, RotatePairs(pairs, LoadMasked(mask, table + i)));
      }
    }
  }
}

void GatedAddKernel(const GatedAddTask& task) {
  for (int64_t row = 0; row < task.rows; ++row) {
    float* x = task.x + row * task.width;
    const float* y = task.y + row * task.width;
    const int64_t group = (task.first_row + row) / task.group_rows;
    const float* gate = task.gate == nullptr ? nullptr : task.gate + group * task.group_stride;
    for (int64_t i = 0; i < task.width; i += kLanes) {
      const Mask16 mask = FirstLanes(task.width - i);
      const F32x16 factor = gate == nullptr ? Broadcast(1.0f) : LoadMasked(mask, gate + i);
      StoreMasked(x + i, mask, Fma(LoadMasked(mask, y + i), factor, LoadMasked(mask, x + i)));
    }
  }
}

void MultiplyKernel(float* x, const float* y, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const Mask16 mask = FirstLanes(count - i);
    StoreMasked(x + i, mask, Mul(LoadMasked(mask, x + i), LoadMasked(mask, y + i)));
  }
}

void SiluKernel(float* x, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const Mask16 mask = FirstLanes(count - i);
    StoreMasked(x + i, mask, Silu(LoadMasked(mask, x + i)));
  }
}

void ReluKernel(float* x, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const Mask16 mask = FirstLanes(count - i);
    // The second operand is what Max gives of a NaN; the sum makes +0 of -0.
    StoreMasked(x + i, mask, Add(Max(Zero(), LoadMasked(mask, x + i)), Zero()));
  }
}

}  // namespace longtake::LONGTAKE_ISA
