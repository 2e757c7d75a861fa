// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "engine/serve/fair_turns.h"

namespace longtake {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BatcherTest, TakesTheLeastTagFirst) {
  const SweepCandidate candidates[] = {{100, 5}, {100, 2}, {100, 0}, {100, 2}};
  EXPECT_THAT(PlanSweep(candidates, {.tokens_max = 300, .knee = 1000}), ElementsAre(2, 1, 3));
  EXPECT_THAT(PlanSweep(candidates, {.tokens_max = 1000, .knee = 1000}), ElementsAre(2, 1, 3, 0));
  EXPECT_THAT(PlanSweep({}, {.tokens_max = 1000, .knee = 1000}), IsEmpty());
}

TEST(BatcherTest, TheFirstAlwaysTakesPart) {
  const SweepCandidate candidates[] = {{100, 0}, {50, 1}};
  EXPECT_THAT(PlanSweep(candidates, {.tokens_max = 10, .knee = 1000}), ElementsAre(0));
}

TEST(BatcherTest, OneThatDoesNotFitIsPassedOver) {
  const SweepCandidate candidates[] = {{60, 1}, {60, 2}, {10, 3}};
  EXPECT_THAT(PlanSweep(candidates, {.tokens_max = 100, .knee = 1000}), ElementsAre(0, 2));
}

TEST(BatcherTest, SharesUpToTheKneeAndNotBeyond) {
  const SweepCandidate candidates[] = {{100, 0}, {100, 1}, {100, 2}, {100, 3}};
  EXPECT_THAT(PlanSweep(candidates, {.tokens_max = 1000, .knee = 250}), ElementsAre(0, 1, 2));
  EXPECT_THAT(PlanSweep(candidates, {.tokens_max = 1000, .knee = 1}), ElementsAre(0));
}

TEST(BatcherTest, ASmallSessionRidesAlongWithALargeOneButNotTheOtherWayRound) {
  const SweepCandidate large_first[] = {{12288, 0}, {180, 1}, {6000, 2}};
  EXPECT_THAT(PlanSweep(large_first, {.tokens_max = 32768, .knee = 512}), ElementsAre(0, 1));
  const SweepCandidate small_first[] = {{12288, 1}, {180, 0}, {6000, 2}};
  EXPECT_THAT(PlanSweep(small_first, {.tokens_max = 32768, .knee = 512}), ElementsAre(1));
}

TEST(BatcherTest, BeforeTheKneeIsKnownNobodyJoinsWhoIsLargerThanTheSweep) {
  const SweepCandidate candidates[] = {{180, 0}, {180, 1}, {720, 2}, {300, 3}};
  EXPECT_THAT(PlanSweep(candidates, {.tokens_max = 32768}), ElementsAre(0, 1, 3));
}

TEST(BatcherTest, WhoSweepsBelowTheKneeWhileOthersWaitPaysForTheRest) {
  const SweepLimits limits = {.tokens_max = 1000, .knee = 600};
  EXPECT_EQ(CostOfRow(200, 800, limits), 3.0);
  EXPECT_EQ(CostOfRow(200, 400, limits), 2.0);
  EXPECT_EQ(CostOfRow(200, 200, limits), 1.0) << "nobody else would have come";
  EXPECT_EQ(CostOfRow(700, 800, limits), 1.0);
  EXPECT_EQ(CostOfRow(200, 800, {.tokens_max = 1000}), 1.0);
}

// Sessions that are always ready, and the turns that the batcher gives them.
class Sweeps {
 public:
  Sweeps(std::vector<int64_t> sizes, SweepLimits limits)
      : limits_(limits), tags_(sizes.size()), sizes_(std::move(sizes)) {}

  void Join(int64_t tokens) {
    sizes_.push_back(tokens);
    tags_.push_back(turns_.TagOfNewcomer(static_cast<double>(tokens)));
  }

  void Leave(size_t index) {
    sizes_.erase(sizes_.begin() + static_cast<ptrdiff_t>(index));
    tags_.erase(tags_.begin() + static_cast<ptrdiff_t>(index));
  }

  // Who took part.
  std::vector<size_t> Next() {
    std::vector<SweepCandidate> candidates;
    for (size_t i = 0; i < sizes_.size(); ++i) {
      candidates.push_back({.tokens = sizes_[i], .tag = turns_.Current(tags_[i])});
    }
    const std::vector<size_t> plan = PlanSweep(candidates, limits_);
    int64_t tokens = 0;
    for (size_t index : plan) tokens += sizes_[index];
    const int64_t waiting = std::accumulate(sizes_.begin(), sizes_.end(), int64_t{0});
    turns_.Lead(candidates[plan[0]].tag);
    for (size_t index : plan) {
      tags_[index] = candidates[index].tag +
                     CostOfRow(tokens, waiting, limits_) * static_cast<double>(sizes_[index]);
    }
    return plan;
  }

  // How often each took part.
  std::vector<int> Run(int sweeps) {
    std::vector<int> served(sizes_.size());
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      for (size_t index : Next()) ++served[index];
    }
    return served;
  }

  std::vector<int64_t>& sizes() { return sizes_; }
  SweepLimits& limits() { return limits_; }

 private:
  SweepLimits limits_;
  FairTurns turns_;
  std::vector<double> tags_;
  std::vector<int64_t> sizes_;
};

TEST(BatcherTest, ASmallSessionGetsManySweepsBetweenTwoOfALargeOne) {
  Sweeps sweeps({180, 12288}, {.tokens_max = 32768, .knee = 512});
  int since_large = 0;
  int large = 0;
  for (int sweep = 0; sweep < 1000; ++sweep) {
    const std::vector<size_t> plan = sweeps.Next();
    if (std::find(plan.begin(), plan.end(), size_t{1}) == plan.end()) {
      ++since_large;
      continue;
    }
    EXPECT_TRUE(large == 0 || since_large >= 20) << since_large;
    EXPECT_LE(since_large, 12288 / 180);
    ++large;
    since_large = 0;
  }
  EXPECT_GE(large, 10);
}

TEST(BatcherTest, EqualSessionsShareAlike) {
  for (const int64_t knee : {1, 512, 1500, 100000}) {
    const std::vector<int> served =
        Sweeps({180, 180, 180, 180, 180}, {.tokens_max = 32768, .knee = knee}).Run(1000);
    const auto [least, most] = std::minmax_element(served.begin(), served.end());
    EXPECT_LE(*most - *least, 1) << "knee " << knee;
  }
}

// Where reading bounds a sweep the knee is large, and a sweep of everybody costs no more than one
// of the least of them.
TEST(BatcherTest, WhoeverSharesAStreamedSweepStaysTogether) {
  Sweeps sweeps({180, 12288, 720, 180}, {.tokens_max = 32768, .knee = 20000});
  EXPECT_THAT(sweeps.Run(100), Each(100));
  Sweeps equal({180, 180, 180, 180}, {.tokens_max = 32768});  // not known yet
  EXPECT_THAT(equal.Run(100), Each(100));
}

// Rows per second, on a machine that reads a sweep while it computes another.
double RowsPerSecond(int64_t tokens, double read, double fixed, double per_token) {
  return static_cast<double>(tokens) / std::max(read, fixed + per_token * double(tokens));
}

TEST(BatcherTest, TurnsOfEqualSessionsCostHardlyAnyThroughput) {
  for (const auto& [read, fixed] : {std::pair(10.0, 0.1), {10.0, 4.0}, {0.0, 1.0}}) {
    // As SweepCostModel finds it.
    const auto knee = static_cast<int64_t>(std::max(0.95 * read, 19 * fixed) / 0.05);
    for (const int64_t sessions : {1, 2, 7, 13, 40, 200}) {
      Sweeps sweeps(std::vector<int64_t>(sessions, 110), {.tokens_max = 32768, .knee = knee});
      double seconds = 0;
      int64_t rows = 0;
      for (int sweep = 0; sweep < 100; ++sweep) {
        const auto tokens = static_cast<int64_t>(110 * sweeps.Next().size());
        seconds += static_cast<double>(tokens) / RowsPerSecond(tokens, read, fixed, 0.05);
        rows += tokens;
      }
      EXPECT_GE(static_cast<double>(rows) / seconds,
                0.94 * RowsPerSecond(sessions * 110, read, fixed, 0.05))
          << sessions << " sessions, read " << read << ", fixed " << fixed;
    }
  }
}

// Sizes, company and knee change from sweep to sweep, and somebody new comes each time.
TEST(BatcherTest, NobodyStarves) {
  std::mt19937_64 random(7);
  const auto draw = [&](int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random);
  };
  for (int round = 0; round < 20; ++round) {
    Sweeps sweeps({draw(1, 12288), draw(1, 12288), draw(1, 12288)}, {.tokens_max = 12288});
    int64_t others_rows = 0;  // since the first session's latest turn
    for (int sweep = 0; sweep < 1000; ++sweep) {
      if (draw(0, 3) == 0) sweeps.limits().knee = draw(1, 20000);
      if (draw(0, 9) == 0) sweeps.limits().knee.reset();
      if (sweeps.sizes().size() < 100) sweeps.Join(draw(1, 500));
      for (size_t i = 1; i < sweeps.sizes().size(); ++i) sweeps.sizes()[i] = draw(1, 12288);
      const std::vector<size_t> plan = sweeps.Next();
      const int64_t sessions = static_cast<int64_t>(sweeps.sizes().size());
      for (size_t index : plan) others_rows += sweeps.sizes()[index];
      if (std::find(plan.begin(), plan.end(), size_t{0}) != plan.end()) others_rows = 0;
      ASSERT_LE(others_rows, 2 * 12288 * sessions) << "round " << round << ", sweep " << sweep;
    }
  }
}

// Each leaves after its first sweep, so none of them ever has a later tag.
TEST(BatcherTest, NewcomersWithoutEndDoNotKeepALargeSessionWaiting) {
  Sweeps sweeps({12288}, {.tokens_max = 12288, .knee = 1});
  sweeps.Next();
  for (int newcomers = 1;; ++newcomers) {
    sweeps.Join(180);
    const size_t served = sweeps.Next()[0];
    if (served == 0) break;
    sweeps.Leave(served);
    ASSERT_LE(newcomers, 12288 / 180 + 1) << "as many rows as its own";
  }
}

}  // namespace
}  // namespace longtake
