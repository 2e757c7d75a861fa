// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/plan_model.h"

#include <map>
#include <string>
#include <utility>

#include "base/file_system.h"
#include "base/machine_memory.h"
#include "base/units.h"
#include "engine/plan/measure.h"
#include "server/log.h"

namespace longtake {
namespace {

constexpr size_t kSlotsDefault = 3;
constexpr uint64_t kCalibrationBytesMax = 1 << 20;

std::optional<uint64_t> Wish(uint64_t bytes) {
  return bytes == kWordNumber ? std::nullopt : std::optional<uint64_t>(bytes);
}

MemoryWishes Wishes(const Config& config) {
  return {.budget = Wish(config.memory_budget),
          .kv = Wish(config.kv_bytes),
          .sessions = Wish(config.session_bytes),
          .pinned = Wish(config.pinned_bytes),
          .kv_min = KvPool::kPageBytesDefault,
          .sessions_min = config.outbox_bytes,
          .kv_staging = config.kv_file.empty() ? 0 : config.kv_staging_bytes};
}

VideoModelOptions ModelOptions(const Config& config) {
  const std::map<std::string, IoChoice> io = {
      {"auto", IoChoice::kAuto}, {"io_uring", IoChoice::kUring}, {"pread", IoChoice::kPread}};
  VideoModelOptions options;
  options.tokens_max = static_cast<int64_t>(config.tokens_per_sweep);
  options.prompt_tokens_max = static_cast<int64_t>(config.prompt_tokens);
  options.slot_count = config.slots;
  if (config.slots == 0)
    options.slot_count = config.calibration.empty() ? kSlotsDefault : kSlotsMin;
  options.io = io.at(config.io);
  options.read_timeout_nanos = config.read_timeout_nanos;
  options.numerics_profile = config.numerics_profile;
  options.with_encoder = config.start_frames;
  return options;
}

void LogMemory(const MemoryPlan& memory) {
  Log(LogLevel::kInfo, "memory",
      {{"total_bytes", static_cast<int64_t>(memory.total())},
       {"budget", memory.budget.has_value() ? FormatBytes(*memory.budget) : "none"},
       {"layer_bytes", static_cast<int64_t>(memory.layers())},
       {"resident_bytes", static_cast<int64_t>(memory.model.resident)},
       {"vae_bytes", static_cast<int64_t>(memory.model.vae)},
       {"buffer_bytes", static_cast<int64_t>(memory.model.buffers)},
       {"kv_bytes", static_cast<int64_t>(memory.kv)},
       {"kv_staging_bytes", static_cast<int64_t>(memory.kv_staging)},
       {"session_bytes", static_cast<int64_t>(memory.sessions)}});
  const std::optional<uint64_t> limit = MemoryLimitBytes();
  if (!limit.has_value() || memory.total() <= *limit) return;
  Log(LogLevel::kWarning, "more memory promised than there is",
      {{"promised_bytes", static_cast<int64_t>(memory.total())},
       {"limit_bytes", static_cast<int64_t>(*limit)},
       {"advice", std::string("set memory-budget, or lower pinned-bytes, kv-bytes, session-bytes "
                              "or tokens-per-sweep")}});
}

absl::Status CheckKvFile(const Config& config) {
  if (config.kv_file.empty() || !IsInMemory(config.kv_file)) return absl::OkStatus();
  if (config.memory_budget == kWordNumber) {
    Log(LogLevel::kWarning, "kv-file is not on a disk but in memory (tmpfs)",
        {{"kv_file", config.kv_file}, {"bytes", static_cast<int64_t>(config.kv_file_bytes)}});
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError("kv-file: " + config.kv_file +
                                       " is not on a disk but in memory (tmpfs), so the file would "
                                       "be memory beside memory-budget");
}

// The one in the file when it is of this machine and model. A file that says something else is
// measured anew; one that cannot be read as a calibration is an error, as it may be another file.
absl::StatusOr<std::optional<Calibration>> ReadCalibration(const std::string& path,
                                                           const Calibration& subject) {
  auto text = ReadTextFile(PosixFileSystem(), path, kCalibrationBytesMax);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  LT_RETURN_IF_ERROR(text.status());
  LT_ASSIGN_OR_RETURN(Calibration calibration, DecodeCalibration(*text, path));
  if (!calibration.IsFor(subject)) return std::nullopt;
  return calibration;
}

absl::StatusOr<Calibration> ObtainCalibration(const Config& config,
                                              const VideoModelOptions& options, WorkerPool& workers,
                                              Clock& clock) {
  FileSystem& files = PosixFileSystem();
  LT_ASSIGN_OR_RETURN(const Calibration subject,
                      CalibrationSubject(files, config.pack, options, workers));
  LT_ASSIGN_OR_RETURN(std::optional<Calibration> known,
                      ReadCalibration(config.calibration, subject));
  if (known.has_value()) return *std::move(known);
  Log(LogLevel::kInfo, "measuring disk and processor", {{"calibration", config.calibration}});
  LT_ASSIGN_OR_RETURN(Calibration measured, Calibrate(files, config.pack, options, workers, clock));
  const std::string text = EncodeCalibration(measured);
  const absl::Status kept =
      WriteFileAtomically(files, config.calibration, std::as_bytes(std::span(text)));
  if (!kept.ok()) {
    Log(LogLevel::kWarning, "the calibration is not kept and will be measured at the next start",
        {{"message", std::string(kept.message())}});
  }
  return measured;
}

absl::Status PlanByCalibration(const Config& config, WorkerPool& workers, Clock& clock,
                               ModelPlan& plan) {
  auto calibration = ObtainCalibration(config, plan.options, workers, clock);
  if (!calibration.ok()) return Annotate(calibration.status(), "calibration");
  LT_ASSIGN_OR_RETURN(ResidencyPlan residency,
                      PlanResidency(PosixFileSystem(), config.pack, plan.options, config.slots,
                                    Wishes(config), *calibration));
  for (const std::string& line : DescribeResidency(residency, *calibration)) {
    Log(LogLevel::kInfo, "plan: " + line);
  }
  plan.memory = residency.memory;
  plan.options.slot_count = residency.slot_count;
  plan.options.request_bytes = residency.request_bytes;
  plan.calibration = *std::move(calibration);
  plan.residency = std::move(residency);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelPlan> PlanModel(const Config& config, WorkerPool& workers,
                                    const MemoryPopulator& populator, Clock& clock) {
  LT_RETURN_IF_ERROR(CheckKvFile(config));
  ModelPlan plan;
  plan.options = ModelOptions(config);
  plan.options.populator = &populator;
  const auto needs = MeasureModel(PosixFileSystem(), config.pack, plan.options);
  if (!needs.ok()) return Annotate(needs.status(), "pack");
  LT_ASSIGN_OR_RETURN(plan.memory, PlanMemory(*needs, Wishes(config)));
  if (!config.calibration.empty()) {
    LT_RETURN_IF_ERROR(PlanByCalibration(config, workers, clock, plan));
  }
  LogMemory(plan.memory);
  plan.options.pinned_bytes_max = plan.memory.pinned;
  return plan;
}

}  // namespace longtake
