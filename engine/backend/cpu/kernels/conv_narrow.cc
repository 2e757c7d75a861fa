// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Convolution to at most eight channels where registers hold sixteen lanes: the lanes are
// neighbouring pixels and the weights are broadcast, so no lane is idle. The chain of an output
// element is that of kernels/conv.cc.
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/kernels/transpose_eight.h"

namespace longtake {
namespace LONGTAKE_ISA {
#if defined(__AVX512F__)
namespace {

constexpr int64_t kWeightLanes = 8;

// Registers of pixels of a tile, for so many channels: 24 sums at most, beside pixels and weights.
template <int kChannels>
constexpr int kVectorsMax = kChannels == 8 ? 3 : 5;

// Eight pixels from their eight channels.
LT_INLINE void StorePixels(const ConvRowTask& task, __m256 (&channels)[8], int64_t count,
                           float* out) {
  TransposeEight(channels);
  if (task.lanes_used == 8) {
    for (int64_t i = 0; i < count; ++i, out += task.out_stride) {
      __m256 pixel = channels[i];
      if (task.accumulate) pixel = _mm256_add_ps(pixel, _mm256_loadu_ps(out));
      _mm256_storeu_ps(out, pixel);
    }
    return;
  }
  const auto mask = static_cast<__mmask8>((1u << task.lanes_used) - 1u);
  for (int64_t i = 0; i < count; ++i, out += task.out_stride) {
    __m256 pixel = channels[i];
    if (task.accumulate) pixel = _mm256_add_ps(pixel, _mm256_maskz_loadu_ps(mask, out));
    _mm256_mask_storeu_ps(out, mask, pixel);
  }
}

template <int kChannels>
LT_INLINE void StoreVector(const ConvRowTask& task, const F32x16* sums, int64_t stride,
                           int64_t count, float* out) {
  __m256 low[8];
  __m256 high[8];
  LT_UNROLL
  for (int k = 0; k < 8; ++k) {
    const F32x16 sum = k < kChannels ? Add(sums[k * stride], Broadcast(task.bias[k])) : Zero();
    low[k] = LowHalf(sum);
    high[k] = HighHalf(sum);
  }
  StorePixels(task, low, count < 8 ? count : 8, out);
  if (count > 8) StorePixels(task, high, count - 8 < 8 ? count - 8 : 8, out + 8 * task.out_stride);
}

template <int kChannels, int kVectors>
void Tile(const ConvRowTask& task, int64_t first) {
  F32x16 sums[kChannels][kVectors];
  LT_UNROLL
  for (int k = 0; k < kChannels; ++k) {
    LT_UNROLL
    for (int v = 0; v < kVectors; ++v) sums[k][v] = Zero();
  }
  for (int64_t t = 0; t < task.tap_count; ++t) {
    const float* pixels = task.taps[t].planes + first;
    const float* weights = task.taps[t].weights;
    for (int64_t c = 0; c < task.in_channels; ++c) {
      F32x16 x[kVectors];
      LT_UNROLL
      for (int v = 0; v < kVectors; ++v) x[v] = Load(pixels + v * kLanes);
      LT_UNROLL
      for (int k = 0; k < kChannels; ++k) {
        const F32x16 w = Broadcast(weights[k]);
        LT_UNROLL
        for (int v = 0; v < kVectors; ++v) sums[k][v] = Fma(x[v], w, sums[k][v]);
      }
      pixels += task.plane_stride;
      weights += kWeightLanes;
    }
  }
  LT_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const int64_t pixel = first + v * kLanes;
    StoreVector<kChannels>(task, &sums[0][v], kVectors, task.pixels - pixel,
                           task.out + pixel * task.out_stride);
  }
}

template <int kChannels, int kVectors>
void TileOf(const ConvRowTask& task, int64_t first, int64_t vectors) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return TileOf<kChannels, kVectors - 1>(task, first, vectors);
  }
  Tile<kChannels, kVectors>(task, first);
}

// Tiles of nearly equal size: a short last one would wait for its own sums.
template <int kChannels>
void Row(const ConvRowTask& task) {
  constexpr int kMax = kVectorsMax<kChannels>;
  int64_t vectors = (task.pixels + kLanes - 1) / kLanes;
  int64_t tiles = (vectors + kMax - 1) / kMax;
  int64_t first = 0;
  for (; tiles > 0; --tiles) {
    const int64_t count = (vectors + tiles - 1) / tiles;
    TileOf<kChannels, kMax>(task, first, count);
    first += count * kLanes;
    vectors -= count;
  }
}

}  // namespace

void ConvNarrowRow(const ConvRowTask& task) {
  if (task.lanes_used <= 3) return Row<3>(task);
  if (task.lanes_used == 4) return Row<4>(task);
  Row<8>(task);
}

#else

// Registers of eight lanes are full with eight channels: kernels/conv.cc does it all.
void ConvNarrowRow(const ConvRowTask&) {}

#endif
}  // namespace LONGTAKE_ISA
}  // namespace longtake
