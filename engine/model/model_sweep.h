// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The model's part of one sweep: embed, every layer in order, head. The engine owns the loop and
// the layer stream; the model owns the arithmetic.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "engine/model/layer_weights.h"

namespace longtake {

// Valid for one sweep. One thread. An error leaves the items' outputs unspecified and changes
// nothing else: the engine drops the sweep.
//
// Where several stages have a range of the layers each, all sweep the same items, and only the
// activations between two layers go from one to the next: the first stage embeds and sends, the
// last one receives and ends with the head.
class ModelSweep {
 public:
  virtual ~ModelSweep() = default;
  virtual absl::Status Embed() = 0;
  // Instead of Embed: [rows, width] as Send of the stage before gave them. INVALID_ARGUMENT for
  // another size.
  virtual absl::Status Receive(std::span<const float> activations) {
    (void)activations;
    return absl::UnimplementedError("this stack is not divided");
  }
  // The layer's matrices, for RunLayer. The lease outlives them. Errors as LayerSlots::Lend.
  virtual absl::StatusOr<std::unique_ptr<LayerWeights>> Lend(LayerLease& lease) {
    return std::make_unique<LeasedWeights>(backend(), lease);
  }
  // Layers of the stage, in order, numbered as in the model. Asks for a layer's matrices in use
  // order, and may return before its ops are done.
  virtual absl::Status RunLayer(int64_t layer, LayerWeights& weights) = 0;
  virtual absl::Status Head() = 0;
  // Whose ops it puts.
  virtual Backend& backend() = 0;
  // Instead of Head, after the stage's last layer.
  virtual absl::Status Send(std::vector<float>* activations) {
    (void)activations;
    return absl::UnimplementedError("this stack is not divided");
  }
};

}  // namespace longtake
