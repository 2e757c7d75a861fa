// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
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

PackedConv::PackedConv(const ConvShape& shape) : shape_(shape) {
  LT_CHECK(shape.out_channels > 0 && shape.in_channels > 0 && taps() > 0);
  for (int64_t first = 0; first < shape.out_channels; first += kPanelLanes) {
    const int64_t used = std::min(kPanelLanes, shape.out_channels - first);
    const int64_t lanes = used <= kSmallPanelLanes ? kSmallPanelLanes : kPanelLanes;
    panels_.push_back({.first_channel = first, .lanes = lanes, .lanes_used = used});
    lanes_ += lanes;
  }
}

absl::StatusOr<std::unique_ptr<PackedConv>> PackedConv::Create(const ConvShape& shape,
                                                               const void* weights, DType dtype,
                                                               const float* bias) {
  LT_CHECK(dtype == DType::kF32 || dtype == DType::kBf16);
  auto packed = std::unique_ptr<PackedConv>(new PackedConv(shape));
  const int64_t rows = packed->taps() * shape.in_channels + 1;  // the last one is the bias
  LT_ASSIGN_OR_RETURN(
      packed->buffer_,
      AlignedBuffer::Allocate(static_cast<uint64_t>(rows * packed->lanes_) * sizeof(float), 64));
  float* out = reinterpret_cast<float*>(packed->buffer_.data());
  for (ConvPanel& panel : packed->panels_) {
    packed->FillPanel(panel, weights, dtype, out);
    float* panel_bias = out + (rows - 1) * panel.lanes;
    if (bias != nullptr) std::copy_n(bias + panel.first_channel, panel.lanes_used, panel_bias);
    panel.weights = out;
    panel.bias = panel_bias;
    out += rows * panel.lanes;
  }
  return packed;
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

absl::StatusOr<std::unique_ptr<ConvWeights>> CpuBackend::PackConv(const ConvShape& shape,
                                                                  const void* weights, DType dtype,
                                                                  const float* bias) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<PackedConv> packed,
                      PackedConv::Create(shape, weights, dtype, bias));
  if (ConvScratchFloatsMax(*packed) > kWorkerScratchFloats) {
    return absl::FailedPreconditionError(absl::StrCat("a convolution from ", shape.in_channels,
                                                      " to ", shape.out_channels,
                                                      " channels is wider than the backend takes"));
  }
  return packed;
}

}  // namespace longtake
