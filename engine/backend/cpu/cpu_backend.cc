// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/cpu_backend.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "engine/backend/cpu/cpu_features.h"

namespace longtake {
namespace {

// Below this many elements the hand-over to a worker costs more than the work.
constexpr int64_t kRowTaskElements = 16384;
constexpr uint64_t kWorkerScratchBytes = kWorkerScratchFloats * sizeof(float);
constexpr uint64_t kCacheLineBytes = 64;

// The steps that instruction_set_max names, in order; 0 is none.
constexpr std::string_view kInstructionSets[] = {"x86-64-v3", "x86-64-v4", "x86-64-v4+vnni",
                                                 "x86-64-v4+amx"};

absl::StatusOr<int> StepsAllowed(std::string_view name) {
  if (name.empty()) return static_cast<int>(std::size(kInstructionSets));
  const auto found = std::find(std::begin(kInstructionSets), std::end(kInstructionSets), name);
  if (found != std::end(kInstructionSets)) {
    return static_cast<int>(found - std::begin(kInstructionSets)) + 1;
  }
  return absl::InvalidArgumentError(absl::StrCat("instruction_set_max: '", std::string(name),
                                                 "' is none of x86-64-v3, ",
                                                 "x86-64-v4, x86-64-v4+vnni, x86-64-v4+amx"));
}

absl::StatusOr<KernelTable> ChooseKernels(const CpuBackendOptions& options) {
  LT_ASSIGN_OR_RETURN(const int steps, StepsAllowed(options.instruction_set_max));
  const CpuFeatures& cpu = GetCpuFeatures();
  if (!cpu.v3) {
    return absl::FailedPreconditionError(
        "this processor lacks AVX2 and FMA (x86-64-v3), which the CPU backend needs");
  }
  KernelTable table = cpu.v4 && steps >= 2 ? isa_v4::Kernels() : isa_v3::Kernels();
  if (cpu.vnni && steps >= 3) isa_vnni::AddKernels(&table);
  if (cpu.amx && steps >= 4) isa_amx::AddKernels(&table);
  const std::string profile(options.numerics_profile);
  if (profile.empty() || profile == kFmaChainProfile) {
    table.round_rows = nullptr;
    table.linear_bf16 = nullptr;
    table.attention_tiled = nullptr;
    return table;
  }
  if (profile != kAmxBf16Profile) {
    return absl::InvalidArgumentError(absl::StrCat("numerics profile '", profile, "' is neither ",
                                                   std::string(kFmaChainProfile), " nor ",
                                                   std::string(kAmxBf16Profile)));
  }
  if (table.linear_bf16 == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        "numerics profile ", profile,
        " needs AMX (AMX-BF16 and AMX-INT8, from Sapphire Rapids on; Linux 5.16), which this "
        "machine does not offer"));
  }
  return table;
}

}  // namespace

CpuBackend::CpuBackend(WorkerPool& workers, const KernelTable& kernels, Lane lane)
    : lane_(lane),
      workers_(workers),
      kernels_(kernels),
      int8_ops_{.narrow = kernels.quantise_rows,
                .linear = kernels.linear_int8,
                .in_tiles = kernels.int8_in_tiles,
                .pack_cost = kernels.int8_in_tiles ? 100.0 : 12.0,
                .copy_cost = kernels.int8_in_tiles ? 3.0 : 0.4},
      bf16_ops_{.narrow = kernels.round_rows,
                .linear = kernels.linear_bf16,
                .in_tiles = true,
                .pack_cost = 100.0,
                .copy_cost = 3.0},
      scratch_(workers.thread_count()) {}

absl::StatusOr<std::unique_ptr<CpuBackend>> CpuBackend::Create(WorkerPool& workers,
                                                               const KernelTable& kernels,
                                                               const CpuBackendOptions& options) {
  auto backend = std::unique_ptr<CpuBackend>(new CpuBackend(workers, kernels, options.lane));
  for (AlignedBuffer& scratch : backend->scratch_) {
    LT_ASSIGN_OR_RETURN(
        scratch, AlignedBuffer::Allocate(kWorkerScratchBytes, kCacheLineBytes, options.populator));
  }
  if (options.narrow_bytes == 0) return backend;
  LT_ASSIGN_OR_RETURN(
      backend->narrow_rows_,
      AlignedBuffer::Allocate(options.narrow_bytes, kCacheLineBytes, options.populator));
  return backend;
}

void CpuBackend::ParallelRows(int64_t rows, int64_t row_elements,
                              const std::function<void(int64_t begin, int64_t count)>& tile) {
  const int64_t task_rows =
      std::max<int64_t>(1, kRowTaskElements / std::max<int64_t>(1, row_elements));
  const int64_t tasks = CeilDiv(rows, task_rows);
  if (tasks == 1) return tile(0, rows);
  workers_.ParallelFor(tasks, [&](int64_t index, int) {
    const int64_t begin = index * task_rows;
    tile(begin, std::min(task_rows, rows - begin));
  });
}

absl::StatusOr<std::unique_ptr<Backend>> CreateCpuBackend(WorkerPool& workers,
                                                          const CpuBackendOptions& options) {
  LT_ASSIGN_OR_RETURN(const KernelTable table, ChooseKernels(options));
  return CpuBackend::Create(workers, table, options);
}

uint64_t CpuScratchBytes(const CpuBackendOptions& options, int threads) {
  return static_cast<uint64_t>(threads) * kWorkerScratchBytes + options.narrow_bytes;
}

std::vector<std::string_view> CpuNumericsProfiles() {
  std::vector<std::string_view> profiles = {kFmaChainProfile};
  if (GetCpuFeatures().amx) profiles.push_back(kAmxBf16Profile);
  return profiles;
}

}  // namespace longtake
