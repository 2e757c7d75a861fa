// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A sweep: one run over all layers of a stack for everyone who takes part. The most important loop
// of longtake: layers outside, sessions inside, whose rows are stacked. Where stages have a range
// of the layers each, it runs on one after the other.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "engine/model/model_sweep.h"
#include "engine/serve/sweep_probe.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

// What a stage does of a sweep.
struct StageSweep {
  ModelSweep& model;
  LayerStream& layers;
  std::vector<float>* received = nullptr;  // from the stage before; null for the first
};

// The first stage embeds, each runs its layers, the last ends with the head. keep_going is asked
// between layers; when it says no, the sweep is dropped with CANCELLED. After any error all streams
// are back at their first layer. An error of reading a layer is marked (IsLayerFault).
absl::Status RunSweep(std::span<const StageSweep> stages, const std::function<bool()>& keep_going,
                      const SweepProbe& probe);

// Whether a sweep failed because a layer could not be read. Every session needs every layer, so
// trying sessions one by one would not help. Any other error may be one item's.
bool IsLayerFault(const absl::Status& status);

}  // namespace longtake
