// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One sweep seen from a model: embed, every layer in order, head. The engine owns the loop and the
// layer stream; the model owns the arithmetic.
#pragma once

#include <cstdint>

#include "base/status_macros.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

// Valid for one sweep. One thread. An error leaves the items' outputs unspecified and changes
// nothing else: the engine drops the sweep.
class StackPass {
 public:
  virtual ~StackPass() = default;
  virtual absl::Status Embed() = 0;
  // Takes the layer's tensors from the lease in use order.
  virtual absl::Status RunLayer(int64_t layer, LayerLease& lease) = 0;
  virtual absl::Status Head() = 0;
};

}  // namespace longtake
