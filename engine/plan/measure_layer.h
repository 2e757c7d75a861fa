// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How long the transformer's first layer takes to compute, alone and with context: the half of a
// calibration that is about the processor. One thread.
#pragma once

#include <memory>
#include <span>

#include "base/clock.h"
#include "engine/plan/calibration.h"
#include "engine/video/video_model.h"
#include "storage/pack/pack_reader.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

class LayerTrial {
 public:
  // All three outlive it.
  LayerTrial(const PackReader& pack, const VideoModelOptions& options, Clock& clock)
      : pack_(pack), options_(options), clock_(clock) {}

  // Errors as VideoModel::Open. The backend outlives it.
  absl::Status Open(Backend& backend);

  // Once open. The cost for one frame of side x side tokens; the least of some runs. By rising
  // sides: where a frame of context would be large, the last measured rate of attention holds.
  // Errors as RunLayer and the layer stream.
  absl::StatusOr<LayerCost> Run(int64_t side);

 private:
  absl::StatusOr<LayerCost> Least(int64_t side, std::span<const ContextFrame> context);
  absl::StatusOr<LayerCost> RunOnce(int64_t side, std::span<const ContextFrame> context);
  absl::StatusOr<LayerCost> TimeLayer(ModelSweep& model_sweep);

  const PackReader& pack_;
  const VideoModelOptions& options_;
  Clock& clock_;
  std::unique_ptr<WanTransformer> model_;
  std::unique_ptr<LayerStream> layers_;
  std::unique_ptr<TextContext> text_;
  double context_pair_seconds_ = 0;  // of the last size: a token and a row of context
};

}  // namespace longtake
