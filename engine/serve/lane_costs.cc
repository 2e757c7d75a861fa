// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/lane_costs.h"

#include <algorithm>

#include "base/clock.h"

namespace longtake {
namespace {

// Beyond so many seconds all that is known weighs half, so that the latest work weighs most.
constexpr double kRememberSeconds = 4.0;

}  // namespace

void LaneCosts::Advance(int64_t now_nanos) {
  const double seconds = NanosToSeconds(now_nanos - now_nanos_);
  now_nanos_ = now_nanos;
  for (LaneSums& lane : lanes_) {
    if (lane.active) lane.busy_seconds += seconds;
  }
  if (lanes_[0].active && lanes_[1].active) both_seconds_ += seconds;
  if (std::min(lanes_[0].busy_seconds, lanes_[1].busy_seconds) > kRememberSeconds) {
    for (LaneSums& lane : lanes_) lane.busy_seconds /= 2;
    both_seconds_ /= 2;
  }
}

void LaneCosts::Begin(Lane lane, int64_t now_nanos) {
  MutexLock lock(mutex_);
  Advance(now_nanos);
  sums(lane).active = true;
  sums(lane).begin_nanos = now_nanos;
}

void LaneCosts::End(Lane lane, int64_t now_nanos, double work) {
  MutexLock lock(mutex_);
  Advance(now_nanos);
  LaneSums& sums = this->sums(lane);
  sums.active = false;
  const double seconds = NanosToSeconds(now_nanos - sums.begin_nanos);
  if (work <= 0 || seconds <= 0) return;
  if (++sums.count == 2) sums.work = sums.seconds = 0.0;
  sums.work += work;
  sums.seconds += seconds;
  if (sums.seconds > kRememberSeconds) {
    sums.work /= 2;
    sums.seconds /= 2;
  }
}

std::optional<LaneCosts::ChunkSeconds> LaneCosts::Predict(double sweep_work, double decode_work,
                                                          double sweep_slowdown) const {
  MutexLock lock(mutex_);
  const auto& [sweep, decode] = lanes_;
  if (sweep.work <= 0 || decode.work <= 0) return std::nullopt;
  const double sweep_seconds = sweep_work * sweep.seconds / sweep.work * sweep_slowdown;
  const double decode_seconds = decode_work * decode.seconds / decode.work;
  // Of the lane that is busy for less, so that all of it can overlap.
  const double shorter = std::min(sweep.busy_seconds, decode.busy_seconds);
  const double overlap = shorter > 0 ? both_seconds_ / shorter : 0.0;
  const double sum = sweep_seconds + decode_seconds;
  return ChunkSeconds{.chunk = sum - overlap * std::min(sweep_seconds, decode_seconds),
                      .first = sum};
}

}  // namespace longtake
