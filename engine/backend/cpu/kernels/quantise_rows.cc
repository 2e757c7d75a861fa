// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A row of floats as bytes: x ~ scale * (byte - 128), scale = max |x| / 127. A row with an infinity
// or a NaN gets it as its scale, so that it is seen in the output.
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/word_panel.h"
#include "engine/backend/cpu/simd_int8.h"

namespace longtake::LONGTAKE_ISA {
namespace {

// Below it 127 / max would overflow; such a row is zero.
constexpr float kMagnitudeMin = 1e-30f;

LT_INLINE float MaxMagnitude(const float* row, int64_t count) {
  I32x16 bits = IntZero();
  for (int64_t i = 0; i < count; i += kLanes) {
    bits = IntMax(bits, MagnitudeBits(LoadMasked(FirstLanes(count - i), row + i)));
  }
  return __builtin_bit_cast(float, HorizontalMax(bits));
}

}  // namespace

void QuantiseRowsKernel(const NarrowRowsTask& task) {
  for (int64_t r = 0; r < task.rows; ++r) {
    const float* row = task.in + r * task.in_features;
    const float magnitude = MaxMagnitude(row, task.in_features);
    const bool is_zero = magnitude < kMagnitudeMin;
    task.out.scales[r] = is_zero ? 0.0f : magnitude / 127.0f;
    const F32x16 factor = Broadcast(is_zero ? 0.0f : 127.0f / magnitude);
    uint8_t* out = NarrowRow(task.out, r);
    for (int64_t i = 0; i < task.in_features; i += kLanes) {
      const Mask16 mask = FirstLanes(task.in_features - i);
      uint8_t* run = out + i / kNarrowRunBytes * task.out.run_step;
      StoreOffsetBytes(run + i % kNarrowRunBytes, Mul(LoadMasked(mask, row + i), factor));
    }
  }
}

}  // namespace longtake::LONGTAKE_ISA
