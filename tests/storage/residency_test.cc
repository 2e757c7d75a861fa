// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/stream/spread.h"

namespace longtake {
namespace {

TEST(PlanKeptTest, NothingOrEverything) {
  const std::vector<uint64_t> layers(4, 10);
  EXPECT_EQ(PlanKept(layers, 9), std::vector<bool>({false, false, false, false}));
  EXPECT_EQ(PlanKept(layers, 40), std::vector<bool>({true, true, true, true}));
  EXPECT_TRUE(PlanKept({}, 40).empty());
}

TEST(PlanKeptTest, SpreadsEvenly) {
  const std::vector<uint64_t> layers(6, 10);
  EXPECT_EQ(PlanKept(layers, 35), std::vector<bool>({false, true, false, true, false, true}));
  EXPECT_EQ(PlanKept(layers, 29), std::vector<bool>({false, false, true, false, false, true}));
}

// Between two kept layers there are never two more streamed ones than anywhere else, and the
// bytes stay within what is allowed.
TEST(PlanKeptTest, RunsDifferByAtMostOne) {
  for (size_t n = 1; n <= 41; ++n) {
    const std::vector<uint64_t> layers(n, 7);
    for (size_t k = 1; k <= n; ++k) {
      const std::vector<bool> kept = PlanKept(layers, 7 * k);
      EXPECT_EQ(std::count(kept.begin(), kept.end(), true), static_cast<ptrdiff_t>(k));
      size_t run = 0, run_min = n, run_max = 0;
      const size_t first =
          static_cast<size_t>(std::find(kept.begin(), kept.end(), true) - kept.begin());
      for (size_t i = 1; i <= n; ++i) {  // around the wrap, from the first kept layer
        if (!kept[(first + i) % n]) {
          ++run;
          continue;
        }
        run_min = std::min(run_min, run);
        run_max = std::max(run_max, run);
        run = 0;
      }
      EXPECT_LE(run_max - run_min, 1u) << n << " layers, " << k << " kept";
    }
  }
}

TEST(PlanKeptTest, CountsRealSizes) {
  const std::vector<uint64_t> layers = {100, 1, 100, 1};
  const std::vector<bool> kept = PlanKept(layers, 2);
  EXPECT_EQ(kept, std::vector<bool>({false, true, false, true}));
}

}  // namespace
}  // namespace longtake
