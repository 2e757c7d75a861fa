// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// That the stage is to come to rest, and by when: no chunk begins any more, and those in work are
// finished if that is foreseen to come in time.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "base/clock.h"
#include "engine/kv/kv_tables.h"
#include "engine/serve/live_session.h"
#include "engine/serve/sweep_cost_model.h"

namespace longtake {

class Draining {
 public:
  // Both must outlive it.
  Draining(const SweepCostModel& costs, Clock& clock) : costs_(costs), clock_(clock) {}

  // In monotonic nanoseconds. Any thread.
  void Begin(int64_t end_nanos) {
    end_nanos_ = end_nanos;
    begun_ = true;
  }
  // Any thread.
  bool begun() const { return begun_; }

  // Whether none of these comes to a chunk's end in time, after so many of its sweeps. False where
  // that is not known, or nothing is drained. The stage's thread.
  bool IsTooLate(std::span<LiveSession* const> plan, int64_t sweeps_done, const KvTables& kv) const;

 private:
  const SweepCostModel& costs_;
  Clock& clock_;
  std::atomic<int64_t> end_nanos_{0};
  std::atomic<bool> begun_{false};
};

}  // namespace longtake
