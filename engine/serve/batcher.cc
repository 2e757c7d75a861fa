// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/batcher.h"

#include <algorithm>
#include <numeric>

namespace longtake {

std::vector<size_t> PlanSweep(std::span<const SweepCandidate> candidates, int64_t tokens_max) {
  std::vector<size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const uint64_t served_a = candidates[a].last_served_sweep;
    const uint64_t served_b = candidates[b].last_served_sweep;
    return served_a != served_b ? served_a < served_b : a < b;
  });
  std::vector<size_t> plan;
  int64_t tokens = 0;
  for (size_t index : order) {
    if (!plan.empty() && tokens + candidates[index].tokens > tokens_max) break;
    tokens += candidates[index].tokens;
    plan.push_back(index);
  }
  return plan;
}

}  // namespace longtake
