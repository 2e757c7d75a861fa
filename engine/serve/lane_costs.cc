// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/lane_costs.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace longtake {
namespace {

// Beyond so many seconds all that is known weighs half, so that the latest work weighs most.
constexpr double kRememberSeconds = 4.0;

}  // namespace

LaneCosts::LaneCosts(const PixelSeconds& calibrated) {
  MutexLock lock(mutex_);
  for (const auto& [decoder, seconds] : {std::pair(DecoderKind::kFull, calibrated.full),
                                         std::pair(DecoderKind::kTiny, calibrated.tiny)}) {
    if (seconds > 0) decoders_[static_cast<size_t>(decoder)] = {.pixels = 1.0, .seconds = seconds};
  }
}

void LaneCosts::Advance(int64_t now_nanos) {
  const double seconds = NanosToSeconds(now_nanos - now_nanos_);
  now_nanos_ = now_nanos;
  if (sweep_.active) sweep_.busy_seconds += seconds;
  if (decode_.active) decode_.busy_seconds += seconds;
  if (sweep_.active && decode_.active) both_seconds_ += seconds;
  if (std::min(sweep_.busy_seconds, decode_.busy_seconds) <= kRememberSeconds) return;
  sweep_.busy_seconds /= 2;
  decode_.busy_seconds /= 2;
  both_seconds_ /= 2;
}

void LaneCosts::BeginSweep(int64_t now_nanos) {
  MutexLock lock(mutex_);
  Advance(now_nanos);
  sweep_.active = true;
}

void LaneCosts::EndSweep(int64_t now_nanos) {
  MutexLock lock(mutex_);
  Advance(now_nanos);
  sweep_.active = false;
}

void LaneCosts::BeginDecode(int64_t now_nanos) {
  MutexLock lock(mutex_);
  Advance(now_nanos);
  decode_.active = true;
  decode_begin_nanos_ = now_nanos;
}

void LaneCosts::EndDecode(int64_t now_nanos, DecoderKind decoder, double pixels) {
  MutexLock lock(mutex_);
  Advance(now_nanos);
  decode_.active = false;
  const double seconds = NanosToSeconds(now_nanos - decode_begin_nanos_);
  if (pixels <= 0 || seconds <= 0) return;
  Decoder& sums = decoders_[static_cast<size_t>(decoder)];
  if (++sums.count == 1 && sums.pixels > 0) return;  // calibrated
  if (sums.count == 2) sums.pixels = sums.seconds = 0.0;
  sums.pixels += pixels;
  sums.seconds += seconds;
  if (sums.seconds > kRememberSeconds) {
    sums.pixels /= 2;
    sums.seconds /= 2;
  }
}

std::optional<double> LaneCosts::DecodeSeconds(DecoderKind decoder, double pixels) const {
  MutexLock lock(mutex_);
  const Decoder& sums = decoders_[static_cast<size_t>(decoder)];
  if (sums.pixels <= 0) return std::nullopt;
  return pixels * sums.seconds / sums.pixels;
}

double LaneCosts::ChunkSeconds(const SweepTime& sweeps, double decode_seconds) const {
  MutexLock lock(mutex_);
  // Of the lane that is busy for less, so that all of it can overlap.
  const double shorter = std::min(sweep_.busy_seconds, decode_.busy_seconds);
  if (shorter <= 0) return std::max(sweeps.seconds, sweeps.work_seconds + decode_seconds);
  const double overlap = both_seconds_ / shorter;
  return sweeps.seconds + decode_seconds - overlap * std::min(sweeps.seconds, decode_seconds);
}

}  // namespace longtake
