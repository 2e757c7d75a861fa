// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/backend/backend_testing.h"

namespace longtake {
namespace {

TEST(CpuBackendTest, InstructionSetIsCapped) {
  const Machine capped(1, "x86-64-v3");
  EXPECT_EQ(capped.backend->instruction_set(), "x86-64-v3");
  const Machine best(1);
  EXPECT_EQ(best.backend->instruction_set(),
            __builtin_cpu_supports("x86-64-v4") ? "x86-64-v4" : "x86-64-v3");
}

// Bits do not depend on the instruction set, so it is no part of the profile.
TEST(CpuBackendTest, ProfileIsTheSameForAllInstructionSets) {
  for (const auto& machine : Machines()) {
    EXPECT_EQ(machine->backend->numerics_profile(), "cpu-fma-chain-v1");
  }
}

TEST(CpuBackendTest, UnknownInstructionSetIsAnError) {
  WorkerPool workers(1);
  const auto backend = CreateCpuBackend(workers, "avx9000");
  EXPECT_EQ(backend.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace longtake
