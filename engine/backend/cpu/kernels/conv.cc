// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The convolution's inner loop: a tile of neighbouring pixels times one panel of output channels,
// held in registers from the first tap to the last. Tiles and registers differ between instruction
// sets; the chain of one output element (taps in order, channels in order, then + bias, then
// + previous value) does not.
#include "engine/backend/cpu/kernels/kernels.h"
#include "engine/backend/cpu/simd.h"

namespace longtake {
namespace LONGTAKE_ISA {
namespace {

struct Panel8 {
  [[maybe_unused]] static constexpr int kWidth = 8;  // unused where narrow panels go elsewhere
  __m256 v;
  static Panel8 Load(const float* p) { return {_mm256_loadu_ps(p)}; }
  void SetZero() { v = _mm256_setzero_ps(); }
  void Store(float* p) const { _mm256_storeu_ps(p, v); }
  void AddProduct(float a, Panel8 b) { v = _mm256_fmadd_ps(_mm256_set1_ps(a), b.v, v); }
  void Add(Panel8 b) { v = _mm256_add_ps(v, b.v); }
};

struct Panel16 {
  static constexpr int kWidth = 16;
  F32x16 v;
  static Panel16 Load(const float* p) { return {LONGTAKE_ISA::Load(p)}; }
  void SetZero() { v = Zero(); }
  void Store(float* p) const { LONGTAKE_ISA::Store(p, v); }
  void AddProduct(float a, Panel16 b) { v = Fma(Broadcast(a), b.v, v); }
  void Add(Panel16 b) { v = LONGTAKE_ISA::Add(v, b.v); }
};

// Pixels of a tile: as many sums as registers hold beside the weights and one pixel.
template <class Panel>
constexpr int kTilePixelsMax = kIsAvx512            ? 24
                               : Panel::kWidth == 8 ? 12
                                                    : 6;

template <class Panel>
void Finish(const ConvRowTask& task, Panel sum, float* out) {
  sum.Add(Panel::Load(task.bias));
  if (task.lanes_used == Panel::kWidth) {
    if (task.accumulate) sum.Add(Panel::Load(out));
    sum.Store(out);
    return;
  }
  float values[Panel::kWidth];
  sum.Store(values);
  for (int64_t i = 0; i < task.lanes_used; ++i) {
    out[i] = task.accumulate ? values[i] + out[i] : values[i];
  }
}

template <class Panel, int kPixels>
void Tile(const ConvRowTask& task, int64_t first, int64_t count) {
  Panel sums[kPixels];
#pragma GCC unroll 24
  for (int r = 0; r < kPixels; ++r) sums[r].SetZero();
  if (!task.begins) {
#pragma GCC unroll 24
    for (int r = 0; r < kPixels; ++r) {
      if (r < count) sums[r] = Panel::Load(task.sums + (first + r) * Panel::kWidth);
    }
  }
  for (int64_t t = 0; t < task.tap_count; ++t) {
    const float* pixels = task.taps[t].planes + first;
    const float* weights = task.taps[t].weights;
    for (int64_t c = 0; c < task.in_channels; ++c) {
      const Panel w = Panel::Load(weights);
#pragma GCC unroll 24
      for (int r = 0; r < kPixels; ++r) sums[r].AddProduct(pixels[r], w);
      pixels += task.plane_stride;
      weights += Panel::kWidth;
    }
  }
  if (!task.ends) {
#pragma GCC unroll 24
    for (int r = 0; r < kPixels; ++r) {
      if (r < count) sums[r].Store(task.sums + (first + r) * Panel::kWidth);
    }
    return;
  }
  float* out = task.out + first * task.out_stride;
#pragma GCC unroll 24
  for (int r = 0; r < kPixels; ++r) {
    if (r < count) Finish(task, sums[r], out + r * task.out_stride);
  }
}

// The smallest tile that covers what is left; never reads more than 3 columns beyond it.
template <class Panel, int kPixels>
void LastTile(const ConvRowTask& task, int64_t first, int64_t count) {
  constexpr int kStep = kTilePixelsMax<Panel> == 6 ? 2 : 4;
  if constexpr (kPixels > kStep) {
    if (count <= kPixels - kStep) return LastTile<Panel, kPixels - kStep>(task, first, count);
  }
  Tile<Panel, kPixels>(task, first, count);
}

template <class Panel>
void Row(const ConvRowTask& task) {
  constexpr int kMax = kTilePixelsMax<Panel>;
  int64_t first = 0;
  for (; task.pixels - first >= kMax; first += kMax) Tile<Panel, kMax>(task, first, kMax);
  if (first < task.pixels) LastTile<Panel, kMax>(task, first, task.pixels - first);
}

}  // namespace

void ConvRowKernel(const ConvRowTask& task) {
  if (task.lanes == 16) return Row<Panel16>(task);
  if constexpr (kIsAvx512) {
    ConvNarrowRow(task);
  } else {
    Row<Panel8>(task);
  }
}

}  // namespace LONGTAKE_ISA
}  // namespace longtake
