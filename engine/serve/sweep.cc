// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/sweep.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

constexpr char kLayerFaultUrl[] = "longtake/layer-fault";

// One layer, and what it took.
absl::Status RunOne(ModelSweep& model_sweep, LayerStream& layers, int64_t layer,
                    const SweepProbe& probe) {
  const LayerStream::Stats before = layers.stats();
  const double kv_before = probe.kv_seconds ? probe.kv_seconds() : 0.0;
  const int64_t start_nanos = probe.clock.MonotonicNanos();
  {
    LT_ASSIGN_OR_RETURN(LayerLease lease, layers.Next());
    LT_ASSIGN_OR_RETURN(const auto weights, model_sweep.Lend(lease));
    LT_RETURN_IF_ERROR(model_sweep.RunLayer(layer, *weights));
  }
  const int64_t end_nanos = probe.clock.MonotonicNanos();
  if (probe.trace != nullptr) {
    probe.trace->Span(probe.track, absl::StrCat("layer ", layer), start_nanos, end_nanos);
  }
  if (probe.times != nullptr) {
    const LayerStream::Stats after = layers.stats();
    LayerTimes& times = (*probe.times)[static_cast<size_t>(layer - layers.layers().first)];
    const double wait = after.wait_seconds - before.wait_seconds;
    const double verify = after.verify_seconds - before.verify_seconds;
    times.wait_seconds += wait;
    times.verify_seconds += verify;
    const double kv = probe.kv_seconds ? probe.kv_seconds() - kv_before : 0.0;
    times.kv_seconds += kv;
    times.compute_seconds += NanosToSeconds(end_nanos - start_nanos) - wait - verify - kv;
  }
  return absl::OkStatus();
}

absl::Status RunLayers(ModelSweep& model_sweep, LayerStream& layers,
                       const std::function<bool()>& keep_going, const SweepProbe& probe) {
  for (int64_t layer = layers.layers().first; layer < layers.layers().end; ++layer) {
    if (!keep_going()) return absl::CancelledError("nobody is left in the sweep");
    LT_RETURN_IF_ERROR(RunOne(model_sweep, layers, layer, probe));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunSweep(ModelSweep& model_sweep, LayerStream& layers,
                      const std::function<bool()>& keep_going, const SweepProbe& probe) {
  LT_RETURN_IF_ERROR(model_sweep.Embed());
  if (absl::Status status = RunLayers(model_sweep, layers, keep_going, probe); !status.ok()) {
    if (layers.failed()) status.SetPayload(kLayerFaultUrl, absl::Cord());
    layers.Rewind();
    return status;
  }
  return model_sweep.Head();
}

bool IsLayerFault(const absl::Status& status) {
  return status.GetPayload(kLayerFaultUrl).has_value();
}

}  // namespace longtake
