// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Before the model is opened: who gets how much memory and how its layers will be read, logged.
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/worker_pool.h"
#include "engine/plan/calibration.h"
#include "engine/plan/memory_plan.h"
#include "engine/plan/residency_plan.h"
#include "engine/video/video_model.h"
#include "server/config_options.h"

namespace longtake {

struct ModelPlan {
  VideoModelOptions options;
  MemoryPlan memory;
  // With the option "calibration" only.
  std::optional<Calibration> calibration;
  std::optional<ResidencyPlan> residency;
};

// Measures and writes the calibration when its file is missing or of another machine or model.
// RESOURCE_EXHAUSTED says what is missing of the budget; FAILED_PRECONDITION: kv-file would be
// memory beside it.
absl::StatusOr<ModelPlan> PlanModel(const Config& config, WorkerPool& workers,
                                    const MemoryPopulator& populator, Clock& clock);

}  // namespace longtake
