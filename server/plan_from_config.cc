// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/plan_from_config.h"

#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/file_system.h"
#include "base/machine_memory.h"
#include "base/units.h"
#include "engine/store/stored_snapshots.h"
#include "server/log.h"

namespace longtake {
namespace {

MemoryWishes Wishes(const Config& config) {
  return {.budget = config.memory_budget,
          .kv = config.kv_bytes,
          .sessions = config.session_bytes,
          .kept = config.kept_bytes,
          .kv_min = KvPool::kPageBytesDefault,
          .sessions_min = config.outbox_bytes,
          .kv_staging = config.kv_file.empty() ? 0 : config.kv_staging_bytes,
          .store = config.state_dir.empty() ? 0 : StoredSnapshots::kBufferBytesMax,
          .prompt_cache = config.prompt_cache_bytes};
}

VideoModelOptions ModelOptions(const Config& config) {
  const std::map<std::string, IoChoice> io = {
      {"auto", IoChoice::kAuto}, {"io_uring", IoChoice::kUring}, {"pread", IoChoice::kPread}};
  VideoModelOptions options;
  options.tokens_max = static_cast<int64_t>(config.tokens_per_sweep);
  options.prompt_tokens_max = static_cast<int64_t>(config.prompt_tokens);
  options.layer_paths = config.layer_paths;
  options.slot_count = config.slots;
  options.text_slot_count = config.slots;
  if (config.slots == 0 && !config.calibration.empty()) options.slot_count = kSlotsMin;
  options.io = io.at(config.io);
  options.read_timeout_nanos = config.read_timeout_nanos;
  options.numerics_profile = config.numerics_profile;
  options.with_encoder = config.start_frames;
  return options;
}

// stage is -1 where there is one.
void LogMemory(const MemoryPlan& memory, int64_t stage = -1) {
  Log(LogLevel::kInfo, stage < 0 ? "memory" : absl::StrCat("memory of stage ", stage),
      {{"total_bytes", static_cast<int64_t>(memory.total().host)},
       {"budget", memory.budget.has_value() ? FormatBytes(*memory.budget) : "none"},
       {"layer_bytes", static_cast<int64_t>(memory.layers())},
       {"resident_bytes", static_cast<int64_t>(memory.model.resident.host)},
       {"vae_bytes", static_cast<int64_t>(memory.model.vae.host)},
       {"buffer_bytes", static_cast<int64_t>(memory.model.buffers.host)},
       {"scratch_bytes", static_cast<int64_t>(memory.model.scratch.host)},
       {"kv_bytes", static_cast<int64_t>(memory.kv)},
       {"kv_staging_bytes", static_cast<int64_t>(memory.kv_staging)},
       {"store_buffer_bytes", static_cast<int64_t>(memory.store)},
       {"prompt_cache_bytes", static_cast<int64_t>(memory.prompt_cache)},
       {"session_bytes", static_cast<int64_t>(memory.sessions.host)}});
}

void WarnOfTooMuch(const ModelPlan& plan) {
  uint64_t promised = 0;
  const std::span<const MemoryPlan> stages =
      plan.stages.empty() ? std::span(&plan.memory, 1) : std::span(plan.stages);
  for (const MemoryPlan& stage : stages) {
    promised =
        CheckedAdd(promised, stage.total().host).value_or(std::numeric_limits<int64_t>::max());
  }
  const std::optional<uint64_t> limit = MemoryLimitBytes();
  if (!limit.has_value() || promised <= *limit) return;
  Log(LogLevel::kWarning, "more memory promised than there is",
      {{"promised_bytes", static_cast<int64_t>(promised)},
       {"limit_bytes", static_cast<int64_t>(*limit)},
       {"advice", std::string("set memory-budget, or lower kept-bytes, kv-bytes, session-bytes "
                              "or tokens-per-sweep")}});
}

absl::Status CheckKvFile(const Config& config) {
  if (config.kv_file.empty() || !IsInMemory(config.kv_file)) return absl::OkStatus();
  if (!config.memory_budget.has_value()) {
    Log(LogLevel::kWarning, "kv-file is not on a disk but in memory (tmpfs)",
        {{"kv_file", config.kv_file}, {"bytes", static_cast<int64_t>(config.kv_file_bytes)}});
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError("kv-file: " + config.kv_file +
                                       " is not on a disk but in memory (tmpfs), so the file would "
                                       "be memory beside memory-budget");
}

void LogPlan(const ModelPlan& plan) {
  if (!plan.not_kept.ok()) {
    Log(LogLevel::kWarning, "the calibration is not kept and will be measured at the next start",
        {{"message", std::string(plan.not_kept.message())}});
  }
  if (plan.residency.has_value()) {
    for (const std::string& line : DescribeResidency(*plan.residency, *plan.calibration)) {
      Log(LogLevel::kInfo, "plan: " + line);
    }
  }
  for (size_t i = 0; i < plan.stages.size(); ++i) {
    LogMemory(plan.stages[i], static_cast<int64_t>(i));
  }
  if (plan.stages.empty()) LogMemory(plan.memory);
  WarnOfTooMuch(plan);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerPool>> MakeWorkers(const Config& config) {
  LT_ASSIGN_OR_RETURN(const std::vector<StageOption> stages, ParseStages(config.stages));
  if (stages.empty()) return std::make_unique<WorkerPool>(static_cast<int>(config.threads));
  const CoreSet& cores = stages.front().cores;
  if (const absl::Status allowed = cores.CheckAllowed(); !allowed.ok()) {
    return Annotate(allowed, "stage 0: device");
  }
  return HaveCoresApart(stages) ? std::make_unique<WorkerPool>(cores)
                                : std::make_unique<WorkerPool>(cores.count());
}

absl::StatusOr<ModelPlan> PlanFromConfig(const Config& config, WorkerPool& workers,
                                         const MemoryPopulator& populator, Clock& clock) {
  LT_RETURN_IF_ERROR(CheckKvFile(config));
  ModelPlanRequest request = {.pack = config.pack,
                              .options = ModelOptions(config),
                              .slot_count = config.slots,
                              .wishes = Wishes(config),
                              .calibration = config.calibration,
                              .before_measuring = [&] {
                                Log(LogLevel::kInfo, "measuring disk and processor",
                                    {{"calibration", config.calibration}});
                              }};
  request.options.populator = &populator;
  LT_ASSIGN_OR_RETURN(request.stages, ParseStages(config.stages));
  LT_ASSIGN_OR_RETURN(ModelPlan plan, PlanModel(PosixFileSystem(), request, workers, clock));
  LogPlan(plan);
  // One part in use, and one being read from each path.
  if (config.slots > 0 && config.slots <= config.layer_paths.size()) {
    Log(LogLevel::kWarning, "too few slots to read from all layer paths at once",
        {{"slots", static_cast<int64_t>(config.slots)},
         {"slots_needed", static_cast<int64_t>(config.layer_paths.size() + 1)}});
  }
  return plan;
}

}  // namespace longtake
