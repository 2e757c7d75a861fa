// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How long it takes to come back to where a take was: its sweeps once more, and its decoder's
// caches once more. Seconds of each lane; one runs beside the other as LaneCosts::ChunkSeconds
// says. Pure functions of what the cost models know.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/serve/lane_costs.h"
#include "engine/serve/sweep_cost_model.h"
#include "engine/session/resolved_spec.h"
#include "engine/video/rollout_shape.h"

namespace longtake {

// Of the sweeps of SweepsOfReplay. nullopt while they are neither calibrated nor measured.
std::optional<SweepTime> PredictReplay(const RolloutSpec& spec, const ReplaySpan& span,
                                       int64_t rows_max, bool kv_in_file,
                                       const SweepCostModel& costs);

// What a session's snapshots are held to; no bytes: none are made.
struct SnapshotLimits {
  double resume_seconds_max = 0;
  uint64_t bytes_per_hour = 0;
};

// The longest replay that a session, alone on its server, can come to need: with a snapshot as soon
// as a replay would take too long and the hour's bytes allow one. Its K/V is written by snapshots
// that each have what is new; seconds_per_chunk is its pace. Where no snapshot is possible that is
// all of the take, or of an endless one what an hour makes. nullopt as PredictReplay.
std::optional<double> PredictLongestReplay(const RolloutSpec& spec, double seconds_per_chunk,
                                           const SnapshotLimits& limits, int64_t rows_max,
                                           bool kv_in_file, const SweepCostModel& costs);

// Of decoding the last warm_up_latents of those that were decoded, or all where there are fewer
// (ChunkDecoder::warm_up_latents). nullopt as DecodeSeconds.
std::optional<double> PredictWarmUp(const ResolvedSpec& spec, int64_t warm_up_latents,
                                    int64_t decoded_latents, const LaneCosts& costs);

}  // namespace longtake
