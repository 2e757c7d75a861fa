// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The plan of a model in stages: which layers each has, and how its memory is divided. What is
// wished for all of them, of K/V and of kept layers, is dealt by the number of their layers; what
// is there once, as text encoder, VAE and sessions, is in the first stage's memory.
#pragma once

#include <span>
#include <vector>

#include "base/file_system.h"
#include "engine/plan/memory_plan.h"
#include "engine/plan/plan_model.h"
#include "engine/plan/stage_option.h"

namespace longtake {

// The stages of the request, dealt its pack's layers. The first one's workers are the model's;
// others have their own, which stay on their cores where no two stages want the same. Errors as
// DealLayers; UNIMPLEMENTED for a second replica.
absl::StatusOr<std::vector<ModelStage>> StagesFor(FileSystem& files,
                                                  const ModelPlanRequest& request);

// A plan for each of the options' stages, within what each was given. Errors as PlanMemory, with
// the stage's number before them.
absl::StatusOr<std::vector<MemoryPlan>> PlanStages(FileSystem& files,
                                                   const ModelPlanRequest& request,
                                                   const VideoModelOptions& options, int threads);

// All of them together; without a budget where one stage has none.
MemoryPlan SumOf(std::span<const MemoryPlan> stages);

}  // namespace longtake
