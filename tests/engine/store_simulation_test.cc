// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/engine/store_simulation.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "tests/base/tried.h"

namespace longtake {
namespace {

// In one of three, sessions forget.
void RunSeeds(const std::string& promise, StoreSimulation::Options options) {
  const Seeds seeds = SeedsToTry(/*otherwise=*/200);
  Tried tried(promise);
  uint64_t forgot = 0;  // seeds
  for (uint64_t seed = seeds.first; seed < seeds.end; ++seed) {
    options.forgets = seed % 3 == 0;
    StoreSimulation simulation(seed, options);
    const std::string problem = simulation.Run();
    tried.Add(seed, problem.empty());
    ASSERT_TRUE(problem.empty()) << problem << "\n  again: " << AgainWith(seed);
    ASSERT_GT(simulation.crashes(), 0) << seed;
    tried.Count("crashes", static_cast<uint64_t>(simulation.crashes()));
    tried.Count("forgotten_chunks", static_cast<uint64_t>(simulation.forgotten()));
    forgot += simulation.forgotten() > 0 ? 1 : 0;
  }
  if (seeds.end - seeds.first >= 100) {
    EXPECT_GT(10 * forgot, seeds.end - seeds.first);
  }
}

TEST(StoreSimulationTest, WhatWasDurableIsThereAfterEveryCrash) {
  RunSeeds("store-crashes", {.faults = false});
}

TEST(StoreSimulationTest, AlsoWhenTheDiskFailsNowAndThen) {
  RunSeeds("store-disk-faults", {.faults = true});
}

// From the first call of an empty directory on: opening, creating, appending, snapshots, forking,
// rewinding, forgetting, deleting, collecting and recovering, with what SQLite does beside them.
TEST(StoreSimulationTest, ACrashAtAnyCallLosesNothing) {
  Tried tried("crash-at-every-call");
  StoreSimulation::Options options = {.events = 120, .faults = false, .crash_per_mille = 0};
  for (const uint64_t seed : {1, 2, 3, 13, 20}) {
    options.forgets = seed > 3;  // in rows, and in files that go
    options.events = options.forgets ? 160 : 120;
    for (const auto kind : {StoreSimulation::Crashes::kPower, StoreSimulation::Crashes::kKill}) {
      StoreSimulation simulation(seed, options);
      const std::string problem = simulation.CrashAtEveryCall(kind);
      tried.Add(seed, problem.empty());
      ASSERT_EQ(problem, "") << "seed " << seed;
      EXPECT_GT(simulation.crashes(), 200);
      EXPECT_EQ(simulation.forgotten() > 0, options.forgets) << seed;
      tried.Count("crashes", static_cast<uint64_t>(simulation.crashes()));
    }
  }
}

TEST(StoreSimulationTest, ACrashAtAnyCallWhileTablesAreBroughtUpLosesNothing) {
  Tried tried("crash-at-every-call");
  const StoreSimulation::Options options = {.events = 60, .faults = false, .crash_per_mille = 0};
  for (const int version : {1, 2, 3}) {
    for (const auto kind : {StoreSimulation::Crashes::kPower, StoreSimulation::Crashes::kKill}) {
      StoreSimulation simulation(/*seed=*/7, options);  // all latents in rows
      const std::string problem = simulation.CrashWhileMigrating(version, kind);
      tried.Add(7, problem.empty());
      ASSERT_EQ(problem, "") << "version " << version;
      EXPECT_GT(simulation.crashes(), 4);
      tried.Count("crashes", static_cast<uint64_t>(simulation.crashes()));
    }
  }
}

// Every seventh, in each of the ways; with LONGTAKE_EVERY_CALL all of them. In two of the ways
// sessions forget.
TEST(StoreSimulationTest, AnyCallThatFailsLosesNothing) {
  Tried tried("failure-of-every-call");
  StoreSimulation::Options options = {.faults = false, .crash_per_mille = 0};
  constexpr StoreSimulation::Failure kFailures[] = {
      {.fault = {.error = EIO}},    {.fault = {.error = EIO}, .calls = 30},
      {.fault = {.error = ENOSPC}}, {.fault = {.error = ENOSPC}, .calls = 30},
      {.fault = {.error = EIO}},    {.fault = {.error = ENOSPC}, .calls = 30},
  };
  constexpr uint64_t kForgetful = 4;  // from this one on
  const uint64_t step = FromEnvironment("LONGTAKE_EVERY_CALL", 0) != 0 ? 1 : 7;
  for (uint64_t way = 0; way < std::size(kFailures); ++way) {
    options.forgets = way >= kForgetful;
    options.events = options.forgets ? 120 : 60;
    int64_t forgotten = 0;
    for (uint64_t call = way;; call += step) {
      StoreSimulation simulation(/*seed=*/options.forgets ? 8 : 4, options);
      const auto problem = simulation.FailAtCall(call, kFailures[way]);
      if (!problem.has_value()) break;
      tried.Add(call, problem->empty());
      ASSERT_EQ(*problem, "") << "failure " << way << " of call " << call;
      forgotten += simulation.forgotten();
    }
    EXPECT_EQ(forgotten > 0, options.forgets);
  }
}

// Every 16th byte of the files of a store that ended, and of one that was killed, with its
// log; LONGTAKE_EVERY_BYTE says otherwise.
TEST(StoreSimulationTest, AFlippedByteIsNamedAndComputedOnByNobody) {
  Tried tried("flipped-bytes");
  const StoreSimulation::Options options = {.events = 60, .faults = false, .crash_per_mille = 0};
  for (const bool killed : {false, true}) {
    const uint64_t step = FromEnvironment("LONGTAKE_EVERY_BYTE", 16);
    StoreSimulation::Flips flips;
    const std::string problem =
        StoreSimulation(/*seed=*/5, options).FlipBytes(step, killed, &flips);
    tried.Add(5, problem.empty());
    ASSERT_EQ(problem, "");
    EXPECT_GT(flips.sessions_refused + flips.stores_refused, 0u);
    const std::string after = killed ? "_after_a_kill" : "_after_an_end";
    tried.Count("flips" + after, flips.tried);
    tried.Count("stores_refused" + after, flips.stores_refused);
    tried.Count("sessions_refused" + after, flips.sessions_refused);
    tried.Count("unharmed" + after, flips.unharmed);
  }
}

}  // namespace
}  // namespace longtake
