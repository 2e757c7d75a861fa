// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/batcher.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace longtake {
namespace {

// Rows that a sweep may have with the next one in it.
int64_t MostRows(int64_t leader, int64_t sweep, const SweepLimits& limits) {
  if (!limits.knee.has_value()) return std::min(2 * sweep, limits.tokens_max);
  const int64_t knee = std::min(*limits.knee, limits.tokens_max);
  return std::min(sweep < knee ? 2 * knee : leader + leader / 8, limits.tokens_max);
}

}  // namespace

std::vector<size_t> PlanSweep(std::span<const SweepCandidate> candidates,
                              const SweepLimits& limits) {
  std::vector<size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(candidates[a].tag, a) < std::pair(candidates[b].tag, b);
  });
  std::vector<size_t> plan;
  int64_t tokens = 0;
  for (size_t index : order) {
    const int64_t with_it = tokens + candidates[index].tokens;
    if (!plan.empty() && with_it > MostRows(candidates[plan[0]].tokens, tokens, limits)) continue;
    tokens = with_it;
    plan.push_back(index);
  }
  return plan;
}

double CostOfRow(int64_t sweep_tokens, int64_t waiting_tokens, const SweepLimits& limits) {
  const int64_t knee = std::min(limits.knee.value_or(0), limits.tokens_max);
  const int64_t paid = std::max(sweep_tokens, std::min(knee, waiting_tokens));
  return static_cast<double>(paid) / static_cast<double>(sweep_tokens);
}

}  // namespace longtake
