// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The two stacks of a video model, each with the items of one sweep. Values for one sweep, on the
// engine thread; the model, the items and the stream outlive them.
#pragma once

#include <memory>
#include <span>

#include "engine/kv/kv_stages.h"
#include "engine/model/sweep_stack.h"
#include "engine/video/sweep_items.h"
#include "engine/video/sweep_load.h"
#include "engine/video/video_model.h"

namespace longtake {

class TextStack final : public SweepStack {
 public:
  TextStack(VideoModel& model, std::span<const TextItem> items) : model_(model), items_(items) {}

  std::string_view name() const override { return "text"; }
  LayerStream& layers(size_t /*stage*/) override { return model_.text_layers(); }
  absl::StatusOr<std::unique_ptr<ModelSweep>> NewSweep(size_t /*stage*/) override {
    return model_.NewTextSweep(items_);
  }

 private:
  VideoModel& model_;
  std::span<const TextItem> items_;
};

class TransformerStack final : public SweepStack {
 public:
  // items: the same ones for each of the model's stages. kv may be null where no K/V lives in a
  // file.
  TransformerStack(VideoModel& model, const KvStages* kv, std::span<const SweepItems> items)
      : model_(model), kv_(kv), items_(items) {}

  std::string_view name() const override { return "transformer"; }
  size_t stage_count() const override { return items_.size(); }
  LayerStream& layers(size_t stage) override { return model_.stage(stage).layers(); }
  std::vector<float>* received(size_t stage) override {
    return stage == 0 ? nullptr : &model_.stage(stage).received();
  }
  absl::StatusOr<std::unique_ptr<ModelSweep>> NewSweep(size_t stage) override {
    return model_.NewVideoSweep(stage, items_[stage].items(),
                                kv_ == nullptr ? nullptr : kv_->stage(stage).stream());
  }
  // What the items have to do together.
  SweepLoad load() const;

 private:
  VideoModel& model_;
  const KvStages* const kv_;
  std::span<const SweepItems> items_;
};

}  // namespace longtake
