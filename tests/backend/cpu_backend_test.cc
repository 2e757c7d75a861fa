// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/backend/cpu/cpu_features.h"
#include "tests/backend/backend_testing.h"

namespace longtake {
namespace {

TEST(CpuBackendTest, InstructionSetIsCapped) {
  const Machine capped(1, {.instruction_set_max = "x86-64-v3"});
  EXPECT_EQ(capped.backend->instruction_set(), "x86-64-v3");
  const Machine best(1);
  const CpuFeatures& cpu = GetCpuFeatures();
  EXPECT_EQ(best.backend->instruction_set(), cpu.amx    ? "x86-64-v4+amx"
                                             : cpu.vnni ? "x86-64-v4+vnni"
                                             : cpu.v4   ? "x86-64-v4"
                                                        : "x86-64-v3");
}

// Bits do not depend on the instruction set, so it is no part of the profile.
TEST(CpuBackendTest, ProfileIsTheSameForAllInstructionSets) {
  for (const auto& machine : Machines()) {
    EXPECT_EQ(machine->backend->numerics_profile(), "cpu-fma-chain-v1");
  }
}

// Another profile is another name, and a machine that lacks it says what it lacks.
TEST(CpuBackendTest, ProfilesAreChosenByName) {
  WorkerPool workers(1);
  const auto amx = CreateCpuBackend(workers, {.numerics_profile = "cpu-amx-bf16-v1"});
  if (GetCpuFeatures().amx) {
    ASSERT_TRUE(amx.ok()) << amx.status();
    EXPECT_EQ((*amx)->numerics_profile(), "cpu-amx-bf16-v1");
  }
  const auto capped = CreateCpuBackend(
      workers, {.instruction_set_max = "x86-64-v4", .numerics_profile = "cpu-amx-bf16-v1"});
  EXPECT_EQ(capped.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(capped.status().message()), testing::HasSubstr("needs AMX"));
  const auto unknown = CreateCpuBackend(workers, {.numerics_profile = "cpu-best"});
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
}

// No op may fail for want of memory, so all of it is taken, or refused, at the start.
TEST(CpuBackendTest, MemoryThatCannotBeHadIsAnErrorOfTheStart) {
  WorkerPool workers(2);
  const auto backend = CreateCpuBackend(workers, {.narrow_bytes = uint64_t{1} << 60});
  EXPECT_EQ(backend.status().code(), absl::StatusCode::kResourceExhausted) << backend.status();
}

TEST(CpuBackendTest, NarrowRowsTakeWhatAllRowsDoUpToABound) {
  const uint64_t one = CpuNarrowBytes(1, 1000, DType::kI8);
  EXPECT_GE(one, 32 * 1000u) << "rows come by 32";
  EXPECT_EQ(CpuNarrowBytes(32, 1000, DType::kI8), one);
  EXPECT_GT(CpuNarrowBytes(33, 1000, DType::kI8), one);
  EXPECT_GT(CpuNarrowBytes(32, 1000, DType::kBf16), one);
  EXPECT_EQ(CpuNarrowBytes(int64_t{1} << 40, 1000, DType::kI8), kNarrowBytesMax);
  EXPECT_EQ(CpuNarrowBytes(1 << 20, 13824, DType::kBf16), kNarrowBytesMax);
}

TEST(CpuBackendTest, UnknownInstructionSetIsAnError) {
  WorkerPool workers(1);
  const auto backend = CreateCpuBackend(workers, {.instruction_set_max = "avx9000"});
  EXPECT_EQ(backend.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace longtake
