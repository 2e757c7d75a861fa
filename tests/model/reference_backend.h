// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The op list as plain loops in double: slow, obvious, and written without a look at the kernels.
// An oracle for models, and a place to record what a model asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "engine/backend/backend.h"

namespace longtake {

class ReferenceBackend : public Backend {
 public:
  // Called after each, when set.
  std::function<void(const LinearArgs&)> on_linear;
  std::function<void(const AttentionArgs&)> on_attention;

  std::string_view numerics_profile() const override { return "reference-f64"; }
  std::string_view instruction_set() const override { return "none"; }

  void Linear(const LinearArgs& args) override;
  void Attention(std::span<const AttentionArgs> items) override;
  void LayerNormModulate(const LayerNormModulateArgs& args) override;
  void LayerNorm(const LayerNormArgs& args) override;
  void RmsNorm(const RmsNormArgs& args) override;
  void Rotary(const RotaryArgs& args) override;
  void GatedAdd(const GatedAddArgs& args) override;
  void Multiply(float* x, const float* y, int64_t count) override;
  void Silu(float* x, int64_t count) override;
  void Relu(float* x, int64_t count) override {
    for (int64_t i = 0; i < count; ++i) x[i] = x[i] > 0.0f ? x[i] : 0.0f;
  }

  // The transformer and the text encoder convolve nothing.
  absl::StatusOr<std::unique_ptr<ConvWeights>> PackConv(const ConvShape&, const void*, DType,
                                                        const float*) override {
    return absl::UnimplementedError("no convolutions");
  }
  void Conv(const ConvArgs&) override { LT_CHECK(false); }
  void ChannelNorm(const ChannelNormArgs&) override { LT_CHECK(false); }
};

// Rotates one row of heads in place by a table of cos, sin pairs.
void RotateRow(double* row, int64_t heads, int64_t head_dim, const float* table);

}  // namespace longtake
