// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What those learn who watch a sweep layer by layer: a trace, times. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/trace.h"
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
  std::string track = {};                    // of the trace, for the layers' spans; begins it
  std::vector<LayerTimes>* times = nullptr;  // per layer, or null
  std::function<double()> kv_seconds = {};   // spent on K/V of the file so far; or empty
};

// One layer: from its making to Done, which tells the probe.
class LayerWatch {
 public:
  // Both outlive it. Of the stage with this number.
  LayerWatch(const LayerStream& layers, const SweepProbe& probe, size_t stage);
  // The layer's number in the model, and among those of the sweep.
  void Done(int64_t layer, size_t index) const;

 private:
  double KvSeconds() const { return probe_.kv_seconds ? probe_.kv_seconds() : 0.0; }

  const LayerStream& layers_;
  const SweepProbe& probe_;
  const size_t stage_;
  const LayerStream::Stats before_;
  const double kv_before_;
  const int64_t start_nanos_;
};

}  // namespace longtake
