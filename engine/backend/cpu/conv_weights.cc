// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/backend/cpu/cpu_backend.h"

namespace longtake {
namespace {

constexpr int64_t kPanelLanes = 16;
constexpr int64_t kSmallPanelLanes = 8;

float Value(const void* weights, DType dtype, int64_t index) {
  if (dtype == DType::kBf16) return Bf16ToFloat(static_cast<const uint16_t*>(weights)[index]);
  return static_cast<const float*>(weights)[index];
}

}  // namespace

PackedConv::PackedConv(const ConvShape& shape, const void* weights, DType dtype, const float* bias)
    : shape_(shape) {
  LT_CHECK(shape.out_channels > 0 && shape.in_channels > 0 && taps() > 0);
  LT_CHECK(dtype == DType::kF32 || dtype == DType::kBf16);
  for (int64_t first = 0; first < shape.out_channels; first += kPanelLanes) {
    const int64_t used = std::min(kPanelLanes, shape.out_channels - first);
    const int64_t lanes = used <= kSmallPanelLanes ? kSmallPanelLanes : kPanelLanes;
    panels_.push_back({.first_channel = first, .lanes = lanes, .lanes_used = used});
    lanes_ += lanes;
  }
  const int64_t rows = taps() * shape.in_channels + 1;  // the last one is the bias
  absl::StatusOr<AlignedBuffer> buffer =
      AlignedBuffer::Allocate(static_cast<uint64_t>(rows * lanes_) * sizeof(float), 64);
  LT_CHECK(buffer.ok());
  buffer_ = *std::move(buffer);
  float* out = reinterpret_cast<float*>(buffer_.data());
  for (ConvPanel& panel : panels_) {
    FillPanel(panel, weights, dtype, out);
    float* panel_bias = out + (rows - 1) * panel.lanes;
    if (bias != nullptr) std::copy_n(bias + panel.first_channel, panel.lanes_used, panel_bias);
    panel.weights = out;
    panel.bias = panel_bias;
    out += rows * panel.lanes;
  }
}

// Published order is [out, in, t, h, w].
void PackedConv::FillPanel(const ConvPanel& panel, const void* weights, DType dtype,
                           float* out) const {
  for (int64_t lane = 0; lane < panel.lanes_used; ++lane) {
    const int64_t channel = panel.first_channel + lane;
    for (int64_t in = 0; in < shape_.in_channels; ++in) {
      const int64_t first = (channel * shape_.in_channels + in) * taps();
      for (int64_t tap = 0; tap < taps(); ++tap) {
        out[(tap * shape_.in_channels + in) * panel.lanes + lane] =
            Value(weights, dtype, first + tap);
      }
    }
  }
}

std::unique_ptr<ConvWeights> CpuBackend::PackConv(const ConvShape& shape, const void* weights,
                                                  DType dtype, const float* bias) {
  return std::make_unique<PackedConv>(shape, weights, dtype, bias);
}

}  // namespace longtake
