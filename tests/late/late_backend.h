// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A backend on the late device (tests/late/late_device.h): its ops are those of another backend,
// run when the device comes to them, on memory that only they can reach.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "engine/backend/backend.h"
#include "tests/late/late_device.h"

namespace longtake {

class LateBackend final : public Backend {
 public:
  // With a device of its own. ops is of the host.
  LateBackend(uint64_t seed, std::unique_ptr<Backend> ops) : device_(seed), ops_(std::move(ops)) {}
  ~LateBackend() override { Await().IgnoreError(); }

  std::string_view numerics_profile() const override { return ops_->numerics_profile(); }
  std::string_view instruction_set() const override { return ops_->instruction_set(); }
  LateDevice& device() override { return device_; }
  Lane lane() const override { return ops_->lane(); }

  void Linear(const LinearArgs& args) override;
  void Attention(std::span<const AttentionArgs> items) override;
  void LayerNormModulate(const LayerNormModulateArgs& args) override;
  void LayerNorm(const LayerNormArgs& args) override;
  void RmsNorm(const RmsNormArgs& args) override;
  void Rotary(const RotaryArgs& args) override;
  void GatedAdd(const GatedAddArgs& args) override;
  void AddTable(const AddTableArgs& args) override;
  void StoreRows(const StoreRowsArgs& args) override;
  void DistanceBias(const DistanceBiasArgs& args) override;
  void Multiply(DevicePtr<float> x, DevicePtr<const float> y, int64_t count) override;
  void Silu(DevicePtr<float> x, int64_t count) override;
  void Relu(DevicePtr<float> x, int64_t count) override;
  absl::StatusOr<std::unique_ptr<ConvWeights>> PackConv(const ConvShape& shape, const void* weights,
                                                        DType dtype, const float* bias) override {
    return ops_->PackConv(shape, weights, dtype, bias);
  }
  void Conv(const ConvArgs& args) override;
  void ChannelNorm(const ChannelNormArgs& args) override;

 private:
  void Put(LateDevice::Operation operation) { device_.Put(lane(), std::move(operation)); }
  // So many values, as the other backend finds them. Within an operation.
  template <typename T>
  DevicePtr<T> Here(DevicePtr<T> pointer, int64_t count) {
    return DevicePtr<T>(device_.At(pointer, count));
  }
  DevicePtr<const void> Here(DevicePtr<const void> pointer, uint64_t bytes) {
    return DevicePtr<const void>(device_.Find(pointer.address(), bytes));
  }

  LateDevice device_;
  const std::unique_ptr<Backend> ops_;
};

}  // namespace longtake
