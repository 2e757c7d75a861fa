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
  absl::StatusOr<std::unique_ptr<LayerWeights>> Lend(LayerLease& lease) override {
    return core_.slots.Lend(backend_, lease);
  }
  absl::Status RunLayer(int64_t layer, LayerWeights& weights) override;
  absl::Status Head() override;
  Backend& backend() override { return backend_; }
  absl::Status Send(std::vector<float>* activations) override;

 private:
  struct Step {
    int64_t layer;  // of the stage's, as K/V counts them
    const WanBlockVectors& block;
    LayerWeights& weights;
  };
  // Which lines of the modulation a norm takes.
  struct Lines {
    int64_t shift;
    int64_t scale;
  };

  WanSweep(WanCore& core, WanStack stack, KvStream* kv_stream);

  absl::Status BeginKv();
  std::span<float> Patches();
  void EmbedPatches();
  absl::Status EmbedTimes();
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
  // What table modulates, [lines, width], and the embedding of each timestep, of in_width values.
  struct Modulation {
    DevicePtr<const float> table;
    DevicePtr<const float> embedding;
    int64_t in_width;
    int64_t lines;
  };
  // modulation = table + embedding
  void Modulate(const Modulation& of);
  // normed = LN(residual) * (1 + scale) + shift
  void NormModulated(const Lines& lines);
  // residual += y * gate
  void AddGated(DevicePtr<const float> y, int64_t gate_line);
  void RmsNormRows(DevicePtr<float> x, int64_t rows, DevicePtr<const float> gain);
  void RotateQueries();
  // normed = attention of each item's queries over segments_.
  void Attend(bool text);
  DevicePtr<const float> Line(int64_t time_row, int64_t line) const;

  DevicePtr<float> residual() { return core_.residual.As<float>(); }
  DevicePtr<float> normed() { return core_.normed.As<float>(); }
  DevicePtr<float> hidden() { return core_.hidden.As<float>(); }
  DevicePtr<float> text() { return core_.text.As<float>(); }
  // In hidden, side by side: each [rows of the stack, width].
  DevicePtr<float> queries() { return hidden(); }
  DevicePtr<float> keys() { return hidden() + stack_.rows * width_; }
  DevicePtr<float> values() { return hidden() + 2 * stack_.rows * width_; }

  WanCore& core_;
  Backend& backend_;
  WanStack stack_;
  KvSweep kv_;
  int64_t width_;
  int64_t rows_;        // of the stack still worked on
  int64_t next_layer_;  // of the model's
  int64_t modulation_lines_ = 0;
  std::vector<std::vector<KeySegment>> segments_;
  std::vector<AttentionArgs> attention_;
};

}  // namespace longtake
