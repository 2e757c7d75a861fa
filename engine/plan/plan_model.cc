// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/plan_model.h"

#include <span>
#include <utility>

#include "engine/plan/measure.h"
#include "engine/plan/plan_stages.h"

namespace longtake {
namespace {

constexpr uint64_t kCalibrationBytesMax = 1 << 20;

// The one in the file when it is of this machine and model. A file that says something else is
// measured anew; one that cannot be read as a calibration is an error, as it may be another file.
absl::StatusOr<std::optional<Calibration>> ReadCalibration(FileSystem& files,
                                                           const std::string& path,
                                                           const Calibration& subject) {
  auto text = ReadTextFile(files, path, kCalibrationBytesMax);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  LT_RETURN_IF_ERROR(text.status());
  LT_ASSIGN_OR_RETURN(Calibration calibration, DecodeCalibration(*text, path));
  if (!calibration.IsFor(subject)) return std::nullopt;
  return calibration;
}

absl::StatusOr<Calibration> ObtainCalibration(FileSystem& files, const ModelPlanRequest& request,
                                              WorkerPool& workers, Clock& clock,
                                              absl::Status& not_kept) {
  const VideoModelOptions& options = request.options;
  LT_ASSIGN_OR_RETURN(const Calibration subject,
                      CalibrationSubject(files, request.pack, options, workers));
  LT_ASSIGN_OR_RETURN(std::optional<Calibration> known,
                      ReadCalibration(files, request.calibration, subject));
  if (known.has_value()) return *std::move(known);
  if (request.before_measuring) request.before_measuring();
  LT_ASSIGN_OR_RETURN(Calibration measured,
                      Calibrate(files, request.pack, options, workers, clock));
  const std::string text = EncodeCalibration(measured);
  not_kept = WriteFileAtomically(files, request.calibration, std::as_bytes(std::span(text)));
  return measured;
}

absl::Status PlanByCalibration(FileSystem& files, const ModelPlanRequest& request,
                               WorkerPool& workers, Clock& clock, ModelPlan& plan) {
  auto calibration = ObtainCalibration(files, request, workers, clock, plan.not_kept);
  if (!calibration.ok()) return Annotate(calibration.status(), "calibration");
  LT_ASSIGN_OR_RETURN(ResidencyPlan residency,
                      PlanResidency(files, request.pack, plan.options, request.slot_count,
                                    request.wishes, *calibration));
  plan.memory = residency.memory;
  plan.options.slot_count = residency.slot_count;
  plan.options.request_bytes = residency.request_bytes;
  plan.calibration = *std::move(calibration);
  plan.residency = std::move(residency);
  return absl::OkStatus();
}

absl::Status PlanInStages(FileSystem& files, const ModelPlanRequest& request, WorkerPool& workers,
                          ModelPlan& plan) {
  LT_ASSIGN_OR_RETURN(plan.options.stages, StagesFor(files, request));
  LT_ASSIGN_OR_RETURN(plan.stages,
                      PlanStages(files, request, plan.options, workers.thread_count()));
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    plan.options.stages[i].kept_bytes_max = plan.stages[i].kept;
  }
  plan.memory = SumOf(plan.stages);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelPlan> PlanModel(FileSystem& files, const ModelPlanRequest& request,
                                    WorkerPool& workers, Clock& clock) {
  ModelPlan plan;
  plan.options = request.options;
  if (!request.stages.empty()) {
    LT_RETURN_IF_ERROR(PlanInStages(files, request, workers, plan));
    return plan;
  }
  const auto needs = MeasureModel(files, request.pack, plan.options, workers.thread_count());
  if (!needs.ok()) return Annotate(needs.status(), "pack");
  LT_ASSIGN_OR_RETURN(plan.memory, PlanMemory(*needs, request.wishes));
  if (!request.calibration.empty()) {
    LT_RETURN_IF_ERROR(PlanByCalibration(files, request, workers, clock, plan));
  }
  plan.options.kept_bytes_max = plan.memory.kept;
  return plan;
}

}  // namespace longtake
