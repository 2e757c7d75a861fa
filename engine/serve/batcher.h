// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Who takes part in the next sweep, and what it costs each of them: pure functions of what the
// sessions need, so that fairness can be proven by tests.
//
// Sessions take turns by rows (engine/serve/fair_turns.h). They share a sweep where that saves
// something: up to the knee, where further rows are nearly free (engine/serve/sweep_cost_model.h).
// Beyond it a sweep that everybody shares only makes small sessions as slow as the largest.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace longtake {

struct SweepCandidate {
  int64_t tokens = 0;  // rows its items bring (all guidance branches); positive
  double tag = 0;      // of its turn, in rows
};

struct SweepLimits {
  int64_t tokens_max = 0;
  std::optional<int64_t> knee = {};  // nullopt: not known yet
};

// Indices of the candidates that take part, least tag first, at most tokens_max rows. The first one
// always takes part. One that does not fit is passed over, and as its tag stays while others' move
// on, it will be first.
// Below the knee others join until it is reached; the last one may take the sweep to twice the
// knee. Beyond the knee others join only if the sweep stays within nine eighths of the first one's
// rows. While the knee is not known, a candidate joins only if it is no larger than the sweep so
// far: then sessions of different sizes make sweeps of different sizes, from which the knee is
// learned.
std::vector<size_t> PlanSweep(std::span<const SweepCandidate> candidates,
                              const SweepLimits& limits);

// What each row of such a sweep is charged, in rows. A sweep below the knee is charged like one at
// the knee if that many rows were waiting.
double CostOfRow(int64_t sweep_tokens, int64_t waiting_tokens, const SweepLimits& limits);

}  // namespace longtake
