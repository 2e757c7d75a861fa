// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/engine/store_simulation.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace longtake {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// LONGTAKE_SEEDS of them from LONGTAKE_FIRST_SEED on: what a failure names can be run alone.
void RunSeeds(const StoreSimulation::Options& options) {
  const uint64_t first = FromEnvironment("LONGTAKE_FIRST_SEED", 1);
  const uint64_t end = first + FromEnvironment("LONGTAKE_SEEDS", 200);
  for (uint64_t seed = first; seed < end; ++seed) {
    StoreSimulation simulation(seed, options);
    const std::string problem = simulation.Run();
    ASSERT_TRUE(problem.empty()) << "LONGTAKE_FIRST_SEED=" << seed << ": " << problem;
    ASSERT_GT(simulation.crashes(), 0) << seed;
  }
}

TEST(StoreSimulationTest, WhatWasDurableIsThereAfterEveryCrash) { RunSeeds({.faults = false}); }

TEST(StoreSimulationTest, AlsoWhenTheDiskFailsNowAndThen) { RunSeeds({.faults = true}); }

// From the first call of an empty directory on: opening, creating, appending, forking, rewinding,
// deleting, with what SQLite does beside them.
TEST(StoreSimulationTest, ACrashAtAnyCallLosesNothing) {
  for (const uint64_t seed : {1, 2, 3}) {
    const StoreSimulation::Options options = {.events = 120, .faults = false, .crash_per_mille = 0};
    uint64_t call = 0;
    for (;; ++call) {
      const auto problem = StoreSimulation(seed, options).CrashAtCall(call);
      if (!problem.has_value()) break;
      ASSERT_EQ(*problem, "") << "seed " << seed << ", call " << call;
    }
    EXPECT_GT(call, 200u);
  }
}

}  // namespace
}  // namespace longtake
