// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/simd.h"

namespace longtake {
namespace LONGTAKE_ISA {
namespace {

constexpr int kRows = 8;  // normalised together: one square root and one division for all of them

alignas(32) constexpr int32_t kFirstEight[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

LT_INLINE __m256 SquaresByLane(const float* row, int64_t width) {
  __m256 sum = _mm256_setzero_ps();
  int64_t c = 0;
  for (; c + 8 <= width; c += 8) {
    const __m256 x = _mm256_loadu_ps(row + c);
    sum = _mm256_fmadd_ps(x, x, sum);
  }
  if (c < width) {
    const __m256i mask =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirstEight + 8 - (width - c)));
    const __m256 x = _mm256_maskload_ps(row + c, mask);
    sum = _mm256_fmadd_ps(x, x, sum);
  }
  return sum;
}

// Lane i becomes the sum of rows[i]: ((0+1)+(2+3)) + ((4+5)+(6+7)).
LT_INLINE __m256 SumEachRow(const __m256 rows[kRows]) {
  const __m256 a =
      _mm256_hadd_ps(_mm256_hadd_ps(rows[0], rows[1]), _mm256_hadd_ps(rows[2], rows[3]));
  const __m256 b =
      _mm256_hadd_ps(_mm256_hadd_ps(rows[4], rows[5]), _mm256_hadd_ps(rows[6], rows[7]));
  return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

void ScaleRow(const ChannelNormTask& task, int64_t row, float factor) {
  const float* in = task.in + row * task.width;
  float* out = task.out + row * task.width;
  for (int64_t c = 0; c < task.width; c += kLanes) {
    const Mask16 mask = FirstLanes(task.width - c);
    const F32x16 x = LoadMasked(mask, in + c);
    F32x16 y = Mul(Mul(x, Broadcast(factor)), LoadMasked(mask, task.gamma + c));
    if (task.silu) y = Silu(y);
    StoreMasked(out + c, mask, y);
  }
}

// Width 8 fills only half a register: two rows share one.
void ScaleTwoRowsOf8(const ChannelNormTask& task, int64_t row, const float* factors) {
  const __m256 gamma = _mm256_loadu_ps(task.gamma);
  const F32x16 factor = FromHalves(_mm256_set1_ps(factors[0]), _mm256_set1_ps(factors[1]));
  F32x16 y = Mul(Mul(Load(task.in + row * 8), factor), FromHalves(gamma, gamma));
  if (task.silu) y = Silu(y);
  Store(task.out + row * 8, y);
}

}  // namespace

void ChannelNormKernel(const ChannelNormTask& task) {
  for (int64_t row = 0; row < task.rows; row += kRows) {
    const int64_t count = task.rows - row < kRows ? task.rows - row : kRows;
    __m256 squares[kRows];
    for (int64_t i = 0; i < kRows; ++i) {
      squares[i] = i < count ? SquaresByLane(task.in + (row + i) * task.width, task.width)
                             : _mm256_setzero_ps();
    }
    // In this order a NaN stays one.
    const __m256 norm = _mm256_max_ps(_mm256_set1_ps(1e-12f), _mm256_sqrt_ps(SumEachRow(squares)));
    alignas(32) float factors[kRows];
    _mm256_store_ps(factors, _mm256_div_ps(_mm256_set1_ps(task.root_width), norm));
    int64_t i = 0;
    if (task.width == 8) {
      for (; i + 2 <= count; i += 2) ScaleTwoRowsOf8(task, row + i, factors + i);
    }
    for (; i < count; ++i) ScaleRow(task, row + i, factors[i]);
  }
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
