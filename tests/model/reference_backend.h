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
#include "engine/backend/host_device.h"

namespace longtake {

class ReferenceBackend : public Backend {
 public:
  // Called after each, when set.
  std::function<void(const LinearArgs&)> on_linear;
  std::function<void(const AttentionArgs&)> on_attention;

  std::string_view numerics_profile() const override { return "reference-f64"; }
  std::string_view instruction_set() const override { return "none"; }
  Device& device() override { return device_; }
  Lane lane() const override { return Lane::kSweep; }

  void Linear(const LinearArgs& args) override;
  void Attention(std::span<const AttentionArgs> items) override;
  void LayerNormModulate(const LayerNormModulateArgs& args) override;
  void LayerNorm(const LayerNormArgs& args) override;
  void RmsNorm(const RmsNormArgs& args) override;
  void Rotary(const RotaryArgs& args) override;
  void GatedAdd(const GatedAddArgs& args) override;
  void AddTable(const AddTableArgs& args) override {
    for (int64_t i = 0; i < args.rows * args.width; ++i) {
      const int64_t row = i / args.width;
      const float* in = args.in.address() + row * args.in_width;
      args.out.address()[i] = args.table.address()[i % args.width] + in[i % args.in_width];
    }
  }
  void StoreRows(const StoreRowsArgs& args) override;
  void DistanceBias(const DistanceBiasArgs& args) override {
    float* out = args.out.address();
    for (int64_t head = 0; head < args.heads; ++head) {
      for (int64_t query = 0; query < args.rows; ++query) {
        for (int64_t key = 0; key < args.rows; ++key) {
          const auto distance = static_cast<size_t>(key - query + args.rows - 1);
          *out++ = args.table.address()[args.buckets[distance] * args.heads + head];
        }
      }
    }
  }
  void Multiply(DevicePtr<float> x, DevicePtr<const float> y, int64_t count) override;
  void Silu(DevicePtr<float> x, int64_t count) override;
  void Relu(DevicePtr<float> x, int64_t count) override {
    float* values = x.address();
    for (int64_t i = 0; i < count; ++i) {
      values[i] = (values[i] < 0.0f ? 0.0f : values[i]) + 0.0f;  // a NaN stays one
    }
  }

  // The transformer and the text encoder convolve nothing.
  absl::StatusOr<std::unique_ptr<ConvWeights>> PackConv(const ConvShape&, const void*, DType,
                                                        const float*) override {
    return absl::UnimplementedError("no convolutions");
  }
  void Conv(const ConvArgs&) override { LT_CHECK(false); }
  void ChannelNorm(const ChannelNormArgs&) override { LT_CHECK(false); }

 private:
  HostDevice device_;
};

// Rotates one row of heads in place by a table of cos, sin pairs.
void RotateRow(double* row, int64_t heads, int64_t head_dim, const float* table);

}  // namespace longtake
