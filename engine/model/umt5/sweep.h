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
  const float* attention_gain = nullptr;
  const float* position_bias = nullptr;  // [buckets, heads]
  const float* ffn_gain = nullptr;
};

struct Umt5Core {
  Umt5Config config;
  Umt5EncoderOptions options;
  ResidentSection resident;  // what the vectors point into
  std::vector<Umt5BlockVectors> blocks;
  const float* final_gain = nullptr;
  const PackReader* pack = nullptr;
  DType table_dtype = DType::kF32;
  Backend* backend = nullptr;
  bool in_sweep = false;

  // fp32 activations, rows up to tokens_max.
  AlignedBuffer residual;  // [rows, d_model]
  AlignedBuffer normed;    // [rows, max(d_model, inner)]: a projection's input, attention's output
  AlignedBuffer hidden;    // q, k and v; gate and up; token rows as stored
  AlignedBuffer bias;      // [heads, prompt_tokens_max, prompt_tokens_max]: of one prompt
};

class Umt5Sweep final : public ModelSweep {
 public:
  static absl::StatusOr<std::unique_ptr<ModelSweep>> Create(Umt5Core& core,
                                                            std::span<const TextItem> items);
  ~Umt5Sweep() override;

  absl::Status Embed() override;
  absl::Status RunLayer(int64_t layer, LayerLease& lease) override;
  absl::Status Head() override;

 private:
  Umt5Sweep(Umt5Core& core, std::span<const TextItem> items);

  absl::Status SelfAttention(const Umt5BlockVectors& block, LayerLease& lease);
  absl::Status FeedForward(const Umt5BlockVectors& block, LayerLease& lease);

  // A matrix of the layer times rows of an activation: args without rows and weight.
  absl::Status Project(LayerLease& lease, Umt5Matrix matrix, LinearArgs args);
  // normed = RMS(residual)
  void Norm(const float* gain);
  void FillBias(const float* position_bias, int64_t tokens);
  void Attend(const float* position_bias);
  void AddToResidual(const float* y);

  float* residual() { return reinterpret_cast<float*>(core_.residual.data()); }
  float* normed() { return reinterpret_cast<float*>(core_.normed.data()); }
  float* hidden() { return reinterpret_cast<float*>(core_.hidden.data()); }
  float* bias() { return reinterpret_cast<float*>(core_.bias.data()); }

  Umt5Core& core_;
  Backend& backend_;
  std::vector<TextItem> items_;
  int64_t rows_ = 0;
  int64_t next_layer_ = 0;
};

}  // namespace longtake
