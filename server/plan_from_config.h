// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The plan that the options ask for, and its lines in the log.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/memory_populator.h"
#include "base/worker_pool.h"
#include "engine/plan/plan_model.h"
#include "server/config_options.h"

namespace longtake {

// Those that compute for all: the first stage's cores, or as many threads as the config says.
// FAILED_PRECONDITION names a core that the process may not use.
absl::StatusOr<std::unique_ptr<WorkerPool>> MakeWorkers(const Config& config);

// The populator takes what the model will be opened with, and must outlive it. Errors as PlanModel;
// FAILED_PRECONDITION: kv-file would be memory beside the budget.
absl::StatusOr<ModelPlan> PlanFromConfig(const Config& config, WorkerPool& workers,
                                         const MemoryPopulator& populator, Clock& clock);

}  // namespace longtake
