// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the two lanes of the engine, sweeps and decoding, take and how much of it they do at the
// same time, learned from what they did lately. A chunk takes as long as both lanes less what
// overlaps: the longer one when one runs beside the other all the time, their sum when they took
// turns. The lanes share the cores, so what one takes beside the other is more than what it takes
// alone, and only both numbers of the same time make a true sum.
//
// Any thread. Times are Clock's monotonic nanoseconds, seconds those of the wall.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/mutex.h"

namespace longtake {

class LaneCosts {
 public:
  enum class Lane { kSweep, kDecode };

  void Begin(Lane lane, int64_t now_nanos) ABSL_LOCKS_EXCLUDED(mutex_);
  // work in any unit, the same for all calls of a lane; 0 when it came to nothing. A lane's first
  // work also warms up, so it counts only until there is a second.
  void End(Lane lane, int64_t now_nanos, double work) ABSL_LOCKS_EXCLUDED(mutex_);

  struct ChunkSeconds {
    double chunk = 0.0;  // from one to the next
    double first = 0.0;  // from its first sweep to its pixels
  };
  // Of a chunk of so much work in each lane whose sweeps take sweep_slowdown times as long as those
  // that were measured. nullopt until both lanes have done something.
  std::optional<ChunkSeconds> Predict(double sweep_work, double decode_work,
                                      double sweep_slowdown) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct LaneSums {
    bool active = false;
    int64_t begin_nanos = 0;
    int64_t count = 0;
    double work = 0.0;
    double seconds = 0.0;       // of that work
    double busy_seconds = 0.0;  // since the other lane's were last forgotten
  };
  // Brings the time both lanes were busy up to now.
  void Advance(int64_t now_nanos) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  LaneSums& sums(Lane lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return lanes_[static_cast<size_t>(lane)];
  }

  mutable Mutex mutex_;
  std::array<LaneSums, 2> lanes_ ABSL_GUARDED_BY(mutex_);
  double both_seconds_ ABSL_GUARDED_BY(mutex_) = 0.0;
  int64_t now_nanos_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace longtake
