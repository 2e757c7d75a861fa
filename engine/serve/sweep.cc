// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/sweep.h"

#include "absl/strings/cord.h"

namespace longtake {
namespace {

constexpr char kLayerFaultUrl[] = "longtake/layer-fault";

absl::Status RunOne(const StageSweep& stage, int64_t layer) {
  LT_ASSIGN_OR_RETURN(LayerLease lease, stage.layers.Next());
  LT_ASSIGN_OR_RETURN(const auto weights, stage.model.Lend(lease));
  return stage.model.RunLayer(layer, *weights);
}

absl::Status RunStages(std::span<const StageSweep> stages, const std::function<bool()>& keep_going,
                       const SweepProbe& probe) {
  const int64_t first = stages.front().layers.layers().first;
  LT_RETURN_IF_ERROR(stages.front().model.Embed());
  for (size_t i = 0; i < stages.size(); ++i) {
    if (i > 0) {
      LT_RETURN_IF_ERROR(stages[i - 1].model.Send(stages[i].received));
      LT_RETURN_IF_ERROR(stages[i].model.Receive(*stages[i].received));
    }
    const LayerRange& layers = stages[i].layers.layers();
    for (int64_t layer = layers.first; layer < layers.end; ++layer) {
      if (!keep_going()) return absl::CancelledError("nobody is left in the sweep");
      const LayerWatch watch(stages[i].layers, probe, i);
      LT_RETURN_IF_ERROR(RunOne(stages[i], layer));
      watch.Done(layer, static_cast<size_t>(layer - first));
    }
  }
  return stages.back().model.Head();
}

}  // namespace

absl::Status RunSweep(std::span<const StageSweep> stages, const std::function<bool()>& keep_going,
                      const SweepProbe& probe) {
  absl::Status status = RunStages(stages, keep_going, probe);
  if (status.ok()) return status;
  for (const StageSweep& stage : stages) {
    if (stage.layers.failed()) status.SetPayload(kLayerFaultUrl, absl::Cord());
    stage.layers.Rewind();
  }
  return status;
}

bool IsLayerFault(const absl::Status& status) {
  return status.GetPayload(kLayerFaultUrl).has_value();
}

}  // namespace longtake
