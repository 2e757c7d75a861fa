// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels/row_norm.h"

#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/simd.h"

namespace longtake::LONGTAKE_ISA {
namespace {

inline constexpr int kSums = 4;

LT_INLINE float FoldSums(const F32x16 (&sums)[kSums]) {
  return HorizontalSum(Add(Add(sums[0], sums[2]), Add(sums[1], sums[3])));
}

LT_INLINE float Sum(const float* row, int64_t width) {
  F32x16 sums[kSums] = {Zero(), Zero(), Zero(), Zero()};
  for (int64_t i = 0; i < width; i += kSums * kLanes) {
    LT_UNROLL
    for (int s = 0; s < kSums; ++s) {
      const int64_t at = i + s * kLanes;
      if (at < width) sums[s] = Add(sums[s], LoadMasked(FirstLanes(width - at), row + at));
    }
  }
  return FoldSums(sums);
}

// Of (x - mean)^2.
LT_INLINE float SumOfSquares(const float* row, int64_t width, float mean) {
  const F32x16 center = Broadcast(mean);
  F32x16 sums[kSums] = {Zero(), Zero(), Zero(), Zero()};
  for (int64_t i = 0; i < width; i += kSums * kLanes) {
    LT_UNROLL
    for (int s = 0; s < kSums; ++s) {
      const int64_t at = i + s * kLanes;
      if (at >= width) continue;
      const Mask16 mask = FirstLanes(width - at);
      const F32x16 x = Select(mask, Sub(LoadMasked(mask, row + at), center), Zero());
      sums[s] = Fma(x, x, sums[s]);
    }
  }
  return FoldSums(sums);
}

LT_INLINE float InverseRoot(float x) {
  const F32x16 root = Div(Broadcast(1.0f), Sqrt(Broadcast(x)));
  return _mm_cvtss_f32(_mm256_castps256_ps128(LowHalf(root)));
}

}  // namespace

void LayerNormKernel(const LayerNormTask& task) {
  const F32x16 offset = Broadcast(task.gain_offset);
  const float count = static_cast<float>(task.width);
  for (int64_t r = 0; r < task.rows; ++r) {
    const float* in = task.in + r * task.width;
    float* out = task.out + r * task.width;
    const int64_t group = (task.first_row + r) / task.group_rows;
    const float* gain = task.gain + group * task.group_stride;
    const float* bias = task.bias + group * task.group_stride;
    const float mean = Sum(in, task.width) / count;
    const float inverse = InverseRoot(SumOfSquares(in, task.width, mean) / count + task.eps);
    for (int64_t i = 0; i < task.width; i += kLanes) {
      const Mask16 mask = FirstLanes(task.width - i);
      const F32x16 centered = Sub(LoadMasked(mask, in + i), Broadcast(mean));
      const F32x16 factor = Add(offset, LoadMasked(mask, gain + i));
      const F32x16 normal = Mul(centered, Broadcast(inverse));
      StoreMasked(out + i, mask, Fma(normal, factor, LoadMasked(mask, bias + i)));
    }
  }
}

void RmsNormKernel(const RmsNormTask& task) {
  const float count = static_cast<float>(task.width);
  for (int64_t r = 0; r < task.rows; ++r) {
    const float* in = task.in + r * task.width;
    float* out = task.out + r * task.width;
    const float inverse = InverseRoot(SumOfSquares(in, task.width, 0.0f) / count + task.eps);
    for (int64_t i = 0; i < task.width; i += kLanes) {
      const Mask16 mask = FirstLanes(task.width - i);
      const F32x16 normal = Mul(LoadMasked(mask, in + i), Broadcast(inverse));
      StoreMasked(out + i, mask, Mul(normal, LoadMasked(mask, task.gain + i)));
    }
  }
}

}  // namespace longtake::LONGTAKE_ISA
