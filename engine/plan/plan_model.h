// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The plan made before a model is opened: how memory is divided and how layers will be read. Reads
// and writes the calibration's file.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/worker_pool.h"
#include "engine/plan/calibration.h"
#include "engine/plan/memory_plan.h"
#include "engine/plan/residency_plan.h"
#include "engine/plan/stage_option.h"
#include "engine/video/video_options.h"

namespace longtake {

struct ModelPlanRequest {
  std::string pack;
  VideoModelOptions options;
  size_t slot_count = 0;  // 0: the plan chooses
  MemoryWishes wishes;
  std::vector<StageOption> stages = {};  // empty: one, with all memory and workers
  std::string calibration;               // the file's path; empty: plan without one
  // Called before the ten seconds that a measurement takes. May be empty.
  std::function<void()> before_measuring = {};
};

struct ModelPlan {
  VideoModelOptions options;
  MemoryPlan memory;                    // of all stages
  std::vector<MemoryPlan> stages = {};  // of each, where the request has some
  // With a calibration only.
  std::optional<Calibration> calibration;
  std::optional<ResidencyPlan> residency;
  // Why the measured calibration could not be written; OK when it was, or nothing was measured.
  absl::Status not_kept;
};

// Measures and writes the calibration when its file is missing or of another machine or model.
// With stages no calibration is used or made. RESOURCE_EXHAUSTED says what is missing of the
// budget; errors begin with the option: "pack", "calibration".
absl::StatusOr<ModelPlan> PlanModel(FileSystem& files, const ModelPlanRequest& request,
                                    WorkerPool& workers, Clock& clock);

}  // namespace longtake
