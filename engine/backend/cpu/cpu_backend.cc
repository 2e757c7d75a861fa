// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/cpu_backend.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/checked.h"

namespace longtake {
namespace {

// Below this many elements the hand-over to a worker costs more than the work.
constexpr int64_t kRowTaskElements = 16384;

}  // namespace

CpuBackend::CpuBackend(WorkerPool& workers, const KernelTable& kernels)
    : workers_(workers), kernels_(kernels), scratch_(workers.thread_count()) {}

float* CpuBackend::Scratch(int worker, int64_t count) {
  AlignedBuffer& buffer = scratch_[worker];
  const uint64_t bytes = static_cast<uint64_t>(count) * sizeof(float);
  if (buffer.size() < bytes) {
    absl::StatusOr<AlignedBuffer> grown = AlignedBuffer::Allocate(bytes, 64);
    LT_CHECK(grown.ok());
    buffer = *std::move(grown);
  }
  return reinterpret_cast<float*>(buffer.data());
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
                                                          std::string_view instruction_set_max) {
  const bool v3_only = instruction_set_max == "x86-64-v3";
  if (!v3_only && !instruction_set_max.empty() && instruction_set_max != "x86-64-v4") {
    return absl::InvalidArgumentError("instruction_set_max: '" + std::string(instruction_set_max) +
                                      "' is neither x86-64-v3 nor x86-64-v4");
  }
  if (!__builtin_cpu_supports("x86-64-v3")) {
    return absl::FailedPreconditionError(
        "this processor lacks AVX2 and FMA (x86-64-v3), which the CPU backend needs");
  }
  const bool v4 = !v3_only && __builtin_cpu_supports("x86-64-v4");
  return std::make_unique<CpuBackend>(workers, v4 ? isa_v4::Kernels() : isa_v3::Kernels());
}

}  // namespace longtake
