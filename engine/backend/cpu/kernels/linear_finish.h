// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The end of a row of Linear. For kernel files only, as simd.h.
#pragma once

#include "engine/backend/cpu/kernels/linear.h"
#include "engine/backend/cpu/simd.h"

namespace longtake {
namespace LONGTAKE_ISA {

LT_INLINE F32x16 Activated(F32x16 x, LinearActivation activation) {
  if (activation == LinearActivation::kNone) return x;
  return activation == LinearActivation::kSilu ? Silu(x) : GeluTanh(x);
}

LT_INLINE void ActivateRow(float* out, int64_t count, LinearActivation activation) {
  for (int64_t i = 0; i < count; i += kLanes) {
    const Mask16 mask = FirstLanes(count - i);
    StoreMasked(out + i, mask, Activated(LoadMasked(mask, out + i), activation));
  }
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
