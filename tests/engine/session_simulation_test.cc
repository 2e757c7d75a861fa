// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/engine/session_simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/base/tried.h"

// A process that is killed leaves sessions behind that wait for answers of its store, and hold
// themselves until they come.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT: the sanitizer's name
  return "leak:session_simulation_test\n";
}

namespace longtake {
namespace {

SimulatedModels& Models() {
  static auto& models = *new SimulatedModels;
  return models;
}

void RunSeeds(const std::string& promise, const SessionSimulation::Options& options) {
  const Seeds seeds = SeedsToTry(/*otherwise=*/70);
  Tried tried(promise);
  std::vector<double> seconds;
  uint64_t forgot = 0;  // seeds
  for (uint64_t seed = seeds.first; seed < seeds.end; ++seed) {
    const std::clock_t begin = std::clock();
    SessionSimulation simulation(Models(), seed, options);
    const std::string problem = simulation.Run();
    tried.Add(seed, problem.empty());
    ASSERT_TRUE(problem.empty()) << problem << "\n  again: " << AgainWith(seed);
    ASSERT_GT(simulation.counts().crashes, 0) << seed;
    seconds.push_back(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    tried.Count("crashes", static_cast<uint64_t>(simulation.counts().crashes));
    tried.Count("chunks", simulation.counts().chunks);
    tried.Count("resumed", simulation.counts().resumed);
    tried.Count("from_snapshots", simulation.counts().from_snapshots);
    tried.Count("forgotten_chunks", static_cast<uint64_t>(simulation.counts().forgotten));
    forgot += simulation.counts().forgotten > 0 ? 1 : 0;
    if (options.faults) {
      tried.Count("gaps", simulation.counts().gaps);
      tried.Count("begun_anew", simulation.counts().begun_anew);
    }
    if (!options.damage) continue;
    tried.Count("checked", simulation.counts().checked);
    tried.Count("refused", simulation.counts().refused);
    tried.Count("missed", simulation.counts().missed);
    tried.Count("stores_refused", simulation.counts().store_refused ? 1 : 0);
    tried.Count("written_anew", simulation.counts().written_anew);
  }
  std::nth_element(seconds.begin(), seconds.begin() + std::ssize(seconds) / 2, seconds.end());
  std::printf("%s: %.1f ms of processor time in the median seed\n", promise.c_str(),
              1000 * seconds[seconds.size() / 2]);
  if (seeds.end - seeds.first >= 70) {
    EXPECT_GT(20 * forgot, seeds.end - seeds.first);
  }
}

TEST(SessionSimulationTest, WhatClientsWereToldHoldsAfterEveryCrash) {
  RunSeeds("simulated-crashes", {.events = EventsToTry(/*otherwise=*/200)});
}

TEST(SessionSimulationTest, AlsoWhenTheDiskFailsNowAndThen) {
  RunSeeds("simulated-disk-faults", {.events = EventsToTry(/*otherwise=*/200), .faults = true});
}

TEST(SessionSimulationTest, WhatTheDiskChangedIsNamedAndNeverComputedOn) {
  RunSeeds("simulated-damage", {.events = EventsToTry(/*otherwise=*/200), .damage = true});
}

}  // namespace
}  // namespace longtake
