// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A sweep: one run over all layers of a stack for everyone who takes part. The most important loop
// of longtake: layers outside, sessions inside, whose rows are stacked.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "base/trace.h"
#include "engine/model/model_sweep.h"
#include "storage/stream/layer_stream.h"

namespace longtake {

// Where the time of a layer went, summed over sweeps.
struct LayerTimes {
  double compute_seconds = 0;
  double wait_seconds = 0;    // for the disk
  double verify_seconds = 0;  // waited for checksums
  double kv_seconds = 0;      // waited for K/V of the file, its checksums included
};

// Optional observers of a sweep: a trace, times per layer. The clock is what they read.
struct SweepProbe {
  Clock& clock;
  Trace* trace = nullptr;                    // or null
  std::string track = {};                    // of the trace, for the layers' spans
  std::vector<LayerTimes>* times = nullptr;  // per layer, or null
  std::function<double()> kv_seconds = {};   // spent on K/V of the file so far; or empty
};

// Embeds, runs every layer, then the head. keep_going is asked between layers; when it says no, the
// sweep is dropped with CANCELLED. After any error the stream is back at its first layer. An error
// of reading a layer is marked (IsLayerFault).
absl::Status RunSweep(ModelSweep& model_sweep, LayerStream& layers,
                      const std::function<bool()>& keep_going, const SweepProbe& probe);

// Whether a sweep failed because a layer could not be read. Every session needs every layer, so
// trying sessions one by one would not help. Any other error may be one item's.
bool IsLayerFault(const absl::Status& status);

}  // namespace longtake
