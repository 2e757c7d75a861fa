// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A stack of layers that a stage can sweep, with those who take part. Whoever sweeps knows nothing
// of what the items are; a model makes one of these for each sweep. One thread.
#pragma once

#include <memory>
#include <string_view>

#include "base/status_macros.h"
#include "engine/model/model_sweep.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

class SweepStack {
 public:
  virtual ~SweepStack() = default;
  // As traces, metrics and those who watch the sweeps call it.
  virtual std::string_view name() const = 0;
  virtual LayerStream& layers() = 0;
  // A sweep of all who take part, anew for each try of the sweep. Its errors are the model's, and
  // may be one item's. The stack outlives it.
  virtual absl::StatusOr<std::unique_ptr<ModelSweep>> NewSweep() = 0;
};

}  // namespace longtake
