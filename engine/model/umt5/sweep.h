// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One sweep of the text encoder, and what the encoder lends to it; internal to engine/model.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "engine/model/umt5/encoder.h"
#include "engine/model/umt5/layout.h"

namespace longtake {

struct Umt5BlockVectors {
  DevicePtr<const float> attention_gain = {};
  DevicePtr<const float> position_bias = {};  // [buckets, heads]
  DevicePtr<const float> ffn_gain = {};
};

struct Umt5Core {
  Umt5Config config;
  Umt5EncoderOptions options;
  ResidentSection resident;
  DeviceBuffer kept;  // the section on the device: what the vectors point into
  std::vector<Umt5BlockVectors> blocks;
  DevicePtr<const float> final_gain = {};
  const PackReader* pack = nullptr;
  DType table_dtype = DType::kF32;
  Backend* backend = nullptr;
  bool in_sweep = false;
  LayerSlots slots;

  // fp32 activations, rows up to tokens_max.
  DeviceBuffer residual;  // [rows, d_model]
  DeviceBuffer normed;    // [rows, max(d_model, inner)]: a projection's input, attention's output
  DeviceBuffer hidden;    // q, k and v; gate and up; in the end the states
  DeviceBuffer bias;      // [heads, prompt_tokens_max, prompt_tokens_max]: of one prompt
  AlignedBuffer states;   // [rows, d_model]: token rows on their way in, states on their way out
};

class Umt5Sweep final : public ModelSweep {
 public:
  static absl::StatusOr<std::unique_ptr<ModelSweep>> Create(Umt5Core& core,
                                                            std::span<const TextItem> items);
  ~Umt5Sweep() override;

  absl::Status Embed() override;
  absl::StatusOr<std::unique_ptr<LayerWeights>> Lend(LayerLease& lease) override {
    return core_.slots.Lend(backend_, lease);
  }
  absl::Status RunLayer(int64_t layer, LayerWeights& weights) override;
  absl::Status Head() override;
  Backend& backend() override { return backend_; }

 private:
  Umt5Sweep(Umt5Core& core, std::span<const TextItem> items);

  absl::Status SelfAttention(const Umt5BlockVectors& block, LayerWeights& weights);
  absl::Status FeedForward(const Umt5BlockVectors& block, LayerWeights& weights);

  // A matrix of the layer times rows of an activation: args without rows and weight.
  absl::Status Project(LayerWeights& weights, Umt5Matrix matrix, LinearArgs args);
  // normed = RMS(residual)
  void Norm(DevicePtr<const float> gain);
  void Attend(DevicePtr<const float> position_bias);
  void AddToResidual(DevicePtr<const float> y);
  // Of the prompts' rows, in the memory that copies reach.
  std::span<float> States();

  DevicePtr<float> residual() { return core_.residual.As<float>(); }
  DevicePtr<float> normed() { return core_.normed.As<float>(); }
  DevicePtr<float> hidden() { return core_.hidden.As<float>(); }
  DevicePtr<float> bias() { return core_.bias.As<float>(); }

  Umt5Core& core_;
  Backend& backend_;
  std::vector<TextItem> items_;
  int64_t rows_ = 0;
  int64_t next_layer_ = 0;
  std::vector<int32_t> buckets_;  // by distance, of the longest prompt: see DistanceBiasArgs
};

}  // namespace longtake
