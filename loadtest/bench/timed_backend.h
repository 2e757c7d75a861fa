// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Another backend, with a stopwatch: seconds of linears, of attention, and of all else.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "engine/backend/backend.h"

namespace longtake {

class TimedBackend final : public Backend {
 public:
  struct Seconds {
    double linear = 0.0;
    double attention = 0.0;
    double other = 0.0;
  };

  explicit TimedBackend(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}

  // Where the first row of what GatedAdd adds to begins: a transformer's residual stream.
  const float* lowest_sum() const { return lowest_sum_; }
  // Since the last call.
  Seconds TakeSeconds() { return std::exchange(seconds_, {}); }

  std::string_view numerics_profile() const override { return backend_->numerics_profile(); }
  std::string_view instruction_set() const override { return backend_->instruction_set(); }
  Device& device() override { return backend_->device(); }
  Lane lane() const override { return backend_->lane(); }

  void Linear(const LinearArgs& args) override {
    Time(seconds_.linear, [&] { backend_->Linear(args); });
  }
  void Attention(std::span<const AttentionArgs> items) override {
    Time(seconds_.attention, [&] { backend_->Attention(items); });
  }
  void LayerNormModulate(const LayerNormModulateArgs& args) override {
    Time(seconds_.other, [&] { backend_->LayerNormModulate(args); });
  }
  void LayerNorm(const LayerNormArgs& args) override {
    Time(seconds_.other, [&] { backend_->LayerNorm(args); });
  }
  void RmsNorm(const RmsNormArgs& args) override {
    Time(seconds_.other, [&] { backend_->RmsNorm(args); });
  }
  void Rotary(const RotaryArgs& args) override {
    Time(seconds_.other, [&] { backend_->Rotary(args); });
  }
  void GatedAdd(const GatedAddArgs& args) override {
    const float* sum = args.x.address();
    if (lowest_sum_ == nullptr || sum < lowest_sum_) lowest_sum_ = sum;
    Time(seconds_.other, [&] { backend_->GatedAdd(args); });
  }
  void AddTable(const AddTableArgs& args) override {
    Time(seconds_.other, [&] { backend_->AddTable(args); });
  }
  void StoreRows(const StoreRowsArgs& args) override {
    Time(seconds_.other, [&] { backend_->StoreRows(args); });
  }
  void DistanceBias(const DistanceBiasArgs& args) override {
    Time(seconds_.other, [&] { backend_->DistanceBias(args); });
  }
  void Multiply(DevicePtr<float> x, DevicePtr<const float> y, int64_t count) override {
    Time(seconds_.other, [&] { backend_->Multiply(x, y, count); });
  }
  void Silu(DevicePtr<float> x, int64_t count) override {
    Time(seconds_.other, [&] { backend_->Silu(x, count); });
  }
  void Relu(DevicePtr<float> x, int64_t count) override {
    Time(seconds_.other, [&] { backend_->Relu(x, count); });
  }
  absl::StatusOr<std::unique_ptr<ConvWeights>> PackConv(const ConvShape& shape, const void* weights,
                                                        DType dtype, const float* bias) override {
    return backend_->PackConv(shape, weights, dtype, bias);
  }
  void Conv(const ConvArgs& args) override {
    Time(seconds_.other, [&] { backend_->Conv(args); });
  }
  void ChannelNorm(const ChannelNormArgs& args) override {
    Time(seconds_.other, [&] { backend_->ChannelNorm(args); });
  }

 private:
  template <typename Run>
  void Time(double& seconds, const Run& run) {
    const int64_t start = clock_.MonotonicNanos();
    run();
    seconds += NanosToSeconds(clock_.MonotonicNanos() - start);
  }

  std::unique_ptr<Backend> backend_;
  SystemClock clock_;
  const float* lowest_sum_ = nullptr;
  Seconds seconds_;
};

}  // namespace longtake
