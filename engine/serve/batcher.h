// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Who takes part in the next sweep: a pure function of what the sessions need and the token budget,
// so that fairness can be proven by tests.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace longtake {

struct SweepCandidate {
  int64_t tokens = 0;              // rows its items bring (all guidance branches)
  uint64_t last_served_sweep = 0;  // 0: never
};

// Indices of the candidates that take part, longest-waiting first, as many as fit tokens_max. The
// longest-waiting one always takes part, and the first that does not fit closes the plan: a large
// session is never overtaken by smaller ones.
std::vector<size_t> PlanSweep(std::span<const SweepCandidate> candidates, int64_t tokens_max);

}  // namespace longtake
