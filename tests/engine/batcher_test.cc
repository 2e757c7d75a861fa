// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BatcherTest, TakesTheLongestWaitingFirstUpToTheBudget) {
  const SweepCandidate candidates[] = {{100, 5}, {100, 2}, {100, 0}, {100, 2}};
  EXPECT_THAT(PlanSweep(candidates, 300), ElementsAre(2, 1, 3));
  EXPECT_THAT(PlanSweep(candidates, 1000), ElementsAre(2, 1, 3, 0));
  EXPECT_THAT(PlanSweep({}, 1000), IsEmpty());
}

TEST(BatcherTest, TheFirstAlwaysTakesPart) {
  const SweepCandidate candidates[] = {{100, 0}, {50, 1}};
  EXPECT_THAT(PlanSweep(candidates, 10), ElementsAre(0));
}

TEST(BatcherTest, ALargeSessionIsNotOvertaken) {
  const SweepCandidate candidates[] = {{60, 1}, {60, 2}, {10, 3}};
  EXPECT_THAT(PlanSweep(candidates, 100), ElementsAre(0));
}

// Over many sweeps everybody is served equally often, give or take one, whatever their sizes.
TEST(BatcherTest, ServesEveryoneEquallyOften) {
  std::vector<SweepCandidate> candidates = {{180, 0}, {180, 0}, {720, 0}, {60, 0}, {60, 0}};
  std::vector<int> served(candidates.size());
  for (uint64_t sweep = 1; sweep <= 1000; ++sweep) {
    for (size_t index : PlanSweep(candidates, 800)) {
      candidates[index].last_served_sweep = sweep;
      ++served[index];
    }
  }
  const auto [least, most] = std::minmax_element(served.begin(), served.end());
  EXPECT_GE(*least, 400);
  EXPECT_LE(*most - *least, *most / 2);
}

}  // namespace
}  // namespace longtake
