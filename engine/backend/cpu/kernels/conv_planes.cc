// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/transpose_eight.h"

namespace longtake {
namespace LONGTAKE_ISA {
namespace {

// Input comes from the last cache or from memory, in runs shorter than the processor's own prefetch
// needs to get going.
constexpr int64_t kPrefetchFloats = 512;

LT_INLINE void Prefetch(const float* begin, int64_t floats) {
  for (int64_t i = 0; i < floats; i += 16) {
    _mm_prefetch(reinterpret_cast<const char*>(begin + kPrefetchFloats + i), _MM_HINT_T0);
  }
}

// Eight columns, all channels.
LT_INLINE void PackColumns(const PlaneRowTask& task, const float* const (&pixels)[8], float* out) {
  alignas(32) static constexpr int32_t kFirstEight[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  for (int64_t c = 0; c < task.channels; c += 8, out += 8 * task.plane_stride) {
    const int64_t count = task.channels - c < 8 ? task.channels - c : 8;
    const __m256i mask =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirstEight + 8 - count));
    __m256 planes[8];
    for (int i = 0; i < 8; ++i) planes[i] = _mm256_maskload_ps(pixels[i] + c, mask);
    TransposeEight(planes);
    for (int64_t i = 0; i < count; ++i) _mm256_store_ps(out + i * task.plane_stride, planes[i]);
  }
}

}  // namespace

void PackPlaneRowKernel(const PlaneRowTask& task) {
  for (int64_t x = 0; x < task.columns; x += 8) {
    const float* pixels[8];
    for (int i = 0; i < 8; ++i) {
      const int64_t column = task.first_column + (x + i) * task.column_step;
      const bool inside = column >= 0 && column < task.in_columns;
      const int64_t pixel = task.upsample ? column / 2 : column;
      pixels[i] = inside ? task.in + pixel * task.channels : task.zeros;
    }
    Prefetch(pixels[7], 8 * task.channels);
    PackColumns(task, pixels, task.out + x);
  }
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
