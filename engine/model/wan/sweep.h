// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One sweep of the Wan transformer (docs/spec 2); internal to engine/model. RunLayer reads like the
// equations: each verb is one of their lines, for all items at once.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/kv/kv_sweep.h"
#include "engine/model/model_sweep.h"
#include "engine/model/wan/items.h"
#include "engine/model/wan/layout.h"

namespace longtake {

class WanSweep final : public ModelSweep {
 public:
  static absl::StatusOr<std::unique_ptr<ModelSweep>> Create(WanCore& core,
                                                            std::span<const VideoItem> items,
                                                            KvStream* kv_stream);
  ~WanSweep() override;

  absl::Status Embed() override;
  absl::Status Receive(std::span<const float> activations) override;
  absl::Status RunLayer(int64_t layer, LayerLease& lease) override;
  absl::Status Head() override;
  absl::Status Send(std::vector<float>* activations) override;

 private:
  struct Step {
    int64_t layer;  // of the stage's, as K/V counts them
    const WanBlockVectors& block;
    LayerLease& lease;
  };
  // Which lines of the modulation a norm takes.
  struct Lines {
    int64_t shift;
    int64_t scale;
  };

  WanSweep(WanCore& core, WanStack stack, KvStream* kv_stream);

  absl::Status BeginKv();
  void EmbedPatches();
  void EmbedTexts();

  absl::Status RunBlock(const Step& step);
  absl::Status FillTexts(const Step& step);
  absl::Status SelfKeys(const Step& step);
  absl::Status WriteKeys(const Step& step);
  absl::Status GatherSelfKeys(int64_t layer);
  absl::Status SelfAttention(const Step& step);
  absl::Status TextAttention(const Step& step);
  absl::Status FeedForward(const Step& step);

  // A matrix of the layer times rows of an activation, plus bias: args without the weight.
  absl::Status Project(const Step& step, WanMatrix matrix, LinearArgs args);
  // modulation = table + the embedding of each timestep of the sweep, [lines, width] or [width].
  void Modulate(const float* table, const std::vector<float>& embedding, int64_t lines);
  // normed = LN(residual) * (1 + scale) + shift
  void NormModulated(const Lines& lines);
  // residual += y * gate
  void AddGated(const float* y, int64_t gate_line);
  void RmsNormRows(float* x, int64_t rows, const float* gain);
  void RotateQueries();
  // normed = attention of each item's queries over segments_.
  void Attend(bool text);
  const float* Line(int64_t time_row, int64_t line) const;

  float* residual() { return reinterpret_cast<float*>(core_.residual.data()); }
  float* normed() { return reinterpret_cast<float*>(core_.normed.data()); }
  float* hidden() { return reinterpret_cast<float*>(core_.hidden.data()); }
  float* text() { return reinterpret_cast<float*>(core_.text.data()); }
  // In hidden, side by side: each [rows of the stack, width].
  float* queries() { return hidden(); }
  float* keys() { return hidden() + stack_.rows * width_; }
  float* values() { return hidden() + 2 * stack_.rows * width_; }

  WanCore& core_;
  Backend& backend_;
  WanStack stack_;
  KvSweep kv_;
  int64_t width_;
  int64_t rows_;        // of the stack still worked on
  int64_t next_layer_;  // of the model's
  int64_t modulation_lines_ = 0;
  std::vector<float> modulation_;  // [timesteps, lines, width]
  std::vector<std::vector<KeySegment>> segments_;
  std::vector<AttentionArgs> attention_;
};

}  // namespace longtake
