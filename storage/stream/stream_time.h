// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How long sweeps over a stream plan take in the long run: a simulation of its slots, of disks that
// each read one unit after the other at a steady rate, whichever of their paths it is of, and of
// workers that verify and compute in turn. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/stream/stream_plan.h"

namespace longtake {

struct StreamRates {
  std::vector<double> disk_bytes_per_second;  // of the disks that the plan's paths are on
  double verify_bytes_per_second = 0;         // while nothing is computed
  uint64_t request_bytes = 1 << 20;           // verifying follows reading at this distance
  // Beside the weights, per layer: what else comes from the first path's disk with each layer.
  uint64_t extra_layer_bytes = 0;
};

struct SweepTime {
  double seconds = 0;       // of one sweep among many
  double read_seconds = 0;  // its reads alone, of the disk that takes longest
  double work_seconds = 0;  // verifying and computing alone
};

// layer_seconds: computing each layer; a layer's parts share it by their bytes. between_seconds:
// what a sweep computes before its first layer and after its last.
SweepTime PredictSweep(const StreamPlan& plan, const StreamRates& rates,
                       std::span<const double> layer_seconds, double between_seconds);

}  // namespace longtake
