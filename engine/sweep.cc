// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/sweep.h"

namespace longtake {
namespace {

absl::Status RunLayers(StackPass& pass, LayerStream& layers,
                       const std::function<bool()>& keep_going) {
  const auto count = static_cast<int64_t>(layers.layer_count());
  for (int64_t layer = 0; layer < count; ++layer) {
    if (!keep_going()) return absl::CancelledError("nobody is left in the sweep");
    LT_ASSIGN_OR_RETURN(LayerLease lease, layers.Next());
    LT_RETURN_IF_ERROR(pass.RunLayer(layer, lease));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunSweep(StackPass& pass, LayerStream& layers,
                      const std::function<bool()>& keep_going) {
  LT_RETURN_IF_ERROR(pass.Embed());
  if (absl::Status status = RunLayers(pass, layers, keep_going); !status.ok()) {
    layers.Rewind();
    return status;
  }
  return pass.Head();
}

}  // namespace longtake
