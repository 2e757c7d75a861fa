// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/plan_stages.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/error_reason.h"

namespace longtake {
namespace {

std::string NameOf(size_t stage) { return absl::StrCat("stage ", stage); }

// What falls to a stage of something that goes by layers.
std::optional<uint64_t> Share(const std::optional<uint64_t>& bytes, int64_t layers, int64_t all) {
  if (!bytes.has_value()) return std::nullopt;
  return ShareOf(*bytes, static_cast<uint64_t>(layers), static_cast<uint64_t>(all));
}

MemoryWishes WishesFor(const ModelPlanRequest& request, size_t stage, int64_t layers, int64_t all) {
  MemoryWishes wishes = request.wishes;
  wishes.budget = request.stages[stage].memory_bytes;
  wishes.budget_name = "memory";
  wishes.kv = Share(wishes.kv, layers, all);
  wishes.kept = Share(wishes.kept, layers, all);
  if (stage == 0) return wishes;
  wishes.sessions = 0;
  wishes.sessions_min = 0;
  wishes.store = 0;
  wishes.prompt_cache = 0;
  return wishes;
}

void Add(std::optional<uint64_t>& sum, const std::optional<uint64_t>& other) {
  if (sum.has_value() && other.has_value()) {
    *sum += *other;
  } else {
    sum = std::nullopt;
  }
}

}  // namespace

absl::StatusOr<std::vector<ModelStage>> StagesFor(FileSystem& files,
                                                  const ModelPlanRequest& request) {
  for (size_t i = 0; i < request.stages.size(); ++i) {
    if (request.stages[i].replica == 0) continue;
    return absl::UnimplementedError(
        absl::StrCat(NameOf(i), ": replica: a server has one replica of the model as yet"));
  }
  LT_ASSIGN_OR_RETURN(const PackDirectory pack,
                      PackDirectory::Open(files, request.pack, request.options.layer_paths));
  LT_ASSIGN_OR_RETURN(const PackReader* transformer, pack.Component("transformer"));
  LT_ASSIGN_OR_RETURN(const std::vector<LayerRange> layers,
                      DealLayers(request.stages, static_cast<int64_t>(transformer->layer_count())));
  std::vector<ModelStage> out;
  for (size_t i = 0; i < request.stages.size(); ++i) {
    const StageOption& stage = request.stages[i];
    if (const absl::Status allowed = stage.cores.CheckAllowed(); !allowed.ok()) {
      return Annotate(allowed, absl::StrCat(NameOf(i), ": device"));
    }
    ModelStage& added =
        out.emplace_back(ModelStage{.layers = layers[i], .layer_paths = stage.layer_paths});
    if (i > 0) added.cores = stage.cores;
    added.stays_on_cores = HaveCoresApart(request.stages);
  }
  return out;
}

absl::StatusOr<std::vector<MemoryPlan>> PlanStages(FileSystem& files,
                                                   const ModelPlanRequest& request,
                                                   const VideoModelOptions& options, int threads) {
  const auto needs = MeasureStages(files, request.pack, options, threads);
  if (!needs.ok()) return needs.status();
  std::vector<MemoryPlan> out;
  for (size_t i = 0; i < needs->size(); ++i) {
    const int64_t layers = options.stages[i].layers.count();
    auto plan =
        PlanMemory((*needs)[i], WishesFor(request, i, layers, options.stages.back().layers.end));
    if (!plan.ok()) return Annotate(plan.status(), NameOf(i));
    out.push_back(*std::move(plan));
  }
  return out;
}

MemoryPlan SumOf(std::span<const MemoryPlan> stages) {
  MemoryPlan sum = stages.front();
  for (const MemoryPlan& stage : stages.subspan(1)) {
    sum.model.Add(stage.model);
    sum.kv += stage.kv;
    sum.kv_staging += stage.kv_staging;
    sum.store += stage.store;
    sum.prompt_cache += stage.prompt_cache;
    sum.sessions += stage.sessions;
    sum.kept = CheckedAdd(sum.kept, stage.kept).value_or(UINT64_MAX);
    Add(sum.budget, stage.budget);
    Add(sum.device_budget, stage.device_budget);
  }
  return sum;
}

}  // namespace longtake
