// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/draining.h"

#include <algorithm>

#include "engine/video/rollout_shape.h"

namespace longtake {

// Each as if it had its sweeps to itself, so that nothing is given up that might come to its end.
bool Draining::IsTooLate(std::span<LiveSession* const> plan, int64_t sweeps_done,
                         const KvTables& kv) const {
  if (!begun_) return false;
  const double seconds = NanosToSeconds(end_nanos_ - clock_.MonotonicNanos());
  return std::all_of(plan.begin(), plan.end(), [&](LiveSession* live) {
    const auto sweep =
        costs_.Predict(DenoisingSweep(live->rollout().spec(), kv.InFile(live->arrival.number)));
    const auto left = static_cast<double>(live->take().sweeps_left() - sweeps_done);
    return sweep.has_value() && left * sweep->seconds > seconds;
  });
}

}  // namespace longtake
