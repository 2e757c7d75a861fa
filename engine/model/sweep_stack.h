// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A stack of layers that can be swept, with those who take part: on one stage, or in turn on
// several that have a range of the layers each. Whoever sweeps knows nothing of what the items are;
// a model makes one of these for each sweep. One thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status_macros.h"
#include "engine/model/model_sweep.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

class SweepStack {
 public:
  virtual ~SweepStack() = default;
  // As traces, metrics and those who watch the sweeps call it.
  virtual std::string_view name() const = 0;
  // Stages are in the order of their layers, which follow each other.
  virtual size_t stage_count() const { return 1; }
  virtual LayerStream& layers(size_t stage) = 0;
  // Where a stage keeps what the one before it sends; null for the first.
  virtual std::vector<float>* received(size_t stage) {
    (void)stage;
    return nullptr;
  }
  // A stage's part in a sweep of all who take part, anew for each try of the sweep. Its errors are
  // the model's, and may be one item's. The stack outlives it.
  virtual absl::StatusOr<std::unique_ptr<ModelSweep>> NewSweep(size_t stage) = 0;
};

}  // namespace longtake
