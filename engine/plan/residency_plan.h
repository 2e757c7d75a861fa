// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How a model's layers use the memory there is: how many are kept, in how many slots the others
// arrive, in requests of what size, and how long sweeps will then take. Computed from the tables of
// the pack and a calibration; nothing large is allocated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/plan/calibration.h"
#include "engine/plan/memory_plan.h"
#include "engine/plan/model_memory.h"
#include "engine/video/sweep_load.h"
#include "storage/stream/stream_time.h"

namespace longtake {

inline constexpr size_t kSlotsMin = 2;  // of those the plan chooses from

struct PlannedSweep {
  int64_t tokens = 0;
  SweepTime time;
};

struct ResidencyPlan {
  size_t slot_count = 0;
  uint64_t request_bytes = 0;
  MemoryPlan memory;
  StreamPlan layers;  // of the transformer
  // Rows up to which computing hides behind reading; 0 when nothing is read.
  int64_t knee_tokens = 0;
  PlannedSweep at_knee;
};

// With slot_count 0 the number of slots is chosen too: the fewest that keep the sweep within a
// hundredth of the shortest at the knee, where reading and computing take equally long and waiting
// costs most. Errors as MeasureModel and PlanMemory.
absl::StatusOr<ResidencyPlan> PlanResidency(FileSystem& files, const std::string& directory,
                                            const VideoModelOptions& options, size_t slot_count,
                                            const MemoryWishes& wishes,
                                            const Calibration& calibration);

// How long it takes under this plan.
SweepTime PredictLoad(const ResidencyPlan& plan, const Calibration& calibration,
                      const SweepLoad& load);

// For people, a line each.
std::vector<std::string> DescribeResidency(const ResidencyPlan& plan,
                                           const Calibration& calibration);

}  // namespace longtake
