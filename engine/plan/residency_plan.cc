// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/residency_plan.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace longtake {
namespace {

constexpr size_t kSlotsBeyondDefault = 5;
constexpr double kWithinOfBest = 1.01;

double Gigabytes(double bytes) { return bytes * 1e-9; }

// Rows at which reading and the work beside it take equally long. Work grows with rows.
int64_t FindKnee(const ResidencyPlan& plan, const Calibration& calibration, int64_t tokens_max) {
  if (plan.layers.bytes_per_sweep == 0) return 0;
  int64_t low = 1;
  int64_t high = tokens_max;
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    const SweepTime time = PredictLoad(plan, calibration, SweepLoad::Forward(middle));
    if (time.work_seconds <= time.read_seconds) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

std::string DescribeDisk(const ResidencyPlan& plan, const Calibration& calibration, size_t disk) {
  std::vector<std::string> paths;
  for (size_t i = 0; i < calibration.layer_paths.size(); ++i) {
    if (calibration.layer_disks[i] == disk) paths.push_back(calibration.layer_paths[i]);
  }
  return absl::StrFormat("%s %s %.2f GB/s, of %.2f GB in a sweep", absl::StrJoin(paths, " and "),
                         paths.size() == 1 ? "gives" : "are on one disk, which gives",
                         Gigabytes(calibration.disk_bytes_per_second[disk]),
                         Gigabytes(static_cast<double>(plan.layers.disk_bytes(disk))));
}

absl::StatusOr<ResidencyPlan> PlanWithSlots(const PackDirectory& pack,
                                            const VideoModelOptions& options,
                                            const MemoryWishes& wishes,
                                            const Calibration& calibration) {
  LT_ASSIGN_OR_RETURN(const ModelMemory needs,
                      MeasureModel(pack, options, static_cast<int>(calibration.threads)));
  LT_ASSIGN_OR_RETURN(const PackReader* transformer, pack.Component("transformer"));
  ResidencyPlan plan;
  plan.slot_count = options.slot_count;
  plan.request_bytes = calibration.request_bytes;
  LT_ASSIGN_OR_RETURN(plan.memory, PlanMemory(needs, wishes));
  plan.layers = PlanStream(*transformer, options.slot_count, plan.memory.kept);
  plan.knee_tokens = FindKnee(plan, calibration, options.tokens_max);
  const int64_t knee = std::max<int64_t>(plan.knee_tokens, 1);
  plan.at_knee = {knee, PredictLoad(plan, calibration, SweepLoad::Forward(knee))};
  return plan;
}

}  // namespace

absl::StatusOr<ResidencyPlan> PlanResidency(FileSystem& files, const std::string& directory,
                                            const VideoModelOptions& options, size_t slot_count,
                                            const MemoryWishes& wishes,
                                            const Calibration& calibration) {
  LT_ASSIGN_OR_RETURN(const PackDirectory pack,
                      PackDirectory::Open(files, directory, options.layer_paths));
  VideoModelOptions tried = options;
  tried.slot_count = slot_count == 0 ? kSlotsMin : slot_count;
  // The first must fit; that more slots do not is no error.
  LT_ASSIGN_OR_RETURN(ResidencyPlan first, PlanWithSlots(pack, tried, wishes, calibration));
  std::vector<ResidencyPlan> plans = {std::move(first)};
  LT_ASSIGN_OR_RETURN(const PackReader* transformer, pack.Component("transformer"));
  const size_t slots_max = DefaultSlotCount(*transformer) + kSlotsBeyondDefault;
  for (size_t slots = kSlotsMin + 1; slot_count == 0 && slots <= slots_max; ++slots) {
    tried.slot_count = slots;
    auto plan = PlanWithSlots(pack, tried, wishes, calibration);
    if (!plan.ok()) break;
    plans.push_back(*std::move(plan));
  }
  // Fewer slots keep more layers, so knees differ; all are compared where the first one's is.
  const int64_t tokens = std::max<int64_t>(plans[0].knee_tokens, 1);
  const auto seconds = [&](const ResidencyPlan& plan) {
    return PredictLoad(plan, calibration, SweepLoad::Forward(tokens)).seconds;
  };
  double least = seconds(plans[0]);
  for (const ResidencyPlan& plan : plans) least = std::min(least, seconds(plan));
  return *std::find_if(plans.begin(), plans.end(), [&](const ResidencyPlan& plan) {
    return seconds(plan) <= least * kWithinOfBest;
  });
}

SweepTime PredictLoad(const ResidencyPlan& plan, const Calibration& calibration,
                      const SweepLoad& load) {
  const LayerCost cost = calibration.At(load.tokens);
  // What was measured attends to itself; a row here may attend to more than that, or to less.
  const int64_t measured = std::min(load.tokens, calibration.layers.back().tokens);
  const double attended = static_cast<double>(load.pairs) / static_cast<double>(load.tokens);
  const double context = attended - static_cast<double>(measured);
  const double layer = std::max(0.0, cost.layer_seconds + cost.context_row_seconds * context);
  const std::vector<double> layer_seconds(plan.layers.first_unit.size(), layer);
  const StreamRates rates = {.disk_bytes_per_second = calibration.disk_bytes_per_second,
                             .verify_bytes_per_second = calibration.verify_bytes_per_second,
                             .request_bytes = plan.request_bytes,
                             .extra_layer_bytes = load.kv_layer_bytes};
  return PredictSweep(plan.layers, rates, layer_seconds, cost.between_seconds);
}

std::vector<std::string> DescribeResidency(const ResidencyPlan& plan,
                                           const Calibration& calibration) {
  const StreamPlan& layers = plan.layers;
  const auto kept = std::count(layers.kept.begin(), layers.kept.end(), true);
  const std::string parts = layers.kept_part_count == 0 ? ""
                                                        : absl::StrFormat(" and %d parts of others",
                                                                          layers.kept_part_count);
  std::vector<std::string> out = {absl::StrFormat(
      "%d of %d layers%s stay in memory; %.2f GB are read in a sweep, in %d slots of %.0f MiB, "
      "requests of %d KiB",
      kept, layers.kept.size(), parts, Gigabytes(static_cast<double>(layers.bytes_per_sweep)),
      layers.slot_count, static_cast<double>(layers.slot_bytes) / (1 << 20),
      plan.request_bytes >> 10)};
  for (size_t disk = 0; disk < layers.disk_count() && !calibration.layer_paths.empty(); ++disk) {
    out.push_back(DescribeDisk(plan, calibration, disk));
  }
  out.push_back(
      absl::StrFormat("the disk%s %.2f GB/s, checksums take %.2f GB/s",
                      layers.disk_count() == 1 ? " gives" : "s together give",
                      Gigabytes(std::accumulate(calibration.disk_bytes_per_second.begin(),
                                                calibration.disk_bytes_per_second.end(), 0.0)),
                      Gigabytes(calibration.verify_bytes_per_second)));
  const auto sweep = [](const PlannedSweep& planned) {
    return absl::StrFormat("a sweep of %d tokens: %.3f s (reading %.3f s, computing %.3f s)",
                           planned.tokens, planned.time.seconds, planned.time.read_seconds,
                           planned.time.work_seconds);
  };
  if (plan.knee_tokens > 0) {
    out.push_back(
        absl::StrFormat("computing hides behind reading up to %d tokens, K/V to attend to apart",
                        plan.knee_tokens));
    out.push_back(sweep(plan.at_knee));
  }
  for (const LayerCost& cost : calibration.layers) {
    out.push_back(
        sweep({cost.tokens, PredictLoad(plan, calibration, SweepLoad::Forward(cost.tokens))}));
  }
  return out;
}

}  // namespace longtake
