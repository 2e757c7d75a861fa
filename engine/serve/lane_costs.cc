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

double LaneCosts::Decoder::Expect(double pixels, int64_t latents) const {
  if (!is_calibrated()) return pixels;
  return pixels * calibrated.pixel + static_cast<double>(latents) * calibrated.latent;
}

LaneCosts::LaneCosts(const PixelSeconds& calibrated) {
  MutexLock lock(mutex_);
  for (const auto& [decoder, seconds] : {std::pair(DecoderKind::kFull, calibrated.full),
                                         std::pair(DecoderKind::kTiny, calibrated.tiny)}) {
    if (seconds.pixel <= 0) continue;
    decoders_[static_cast<size_t>(decoder)] = {
        .calibrated = seconds, .expected = 1.0, .seconds = 1.0};
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
  if (++sums.count == 1 && sums.is_calibrated()) return;
  if (sums.count == 2) sums.expected = sums.seconds = 0.0;
  sums.expected += sums.Expect(pixels, 1);
  sums.seconds += seconds;
  if (sums.seconds > kRememberSeconds) {
    sums.expected /= 2;
    sums.seconds /= 2;
  }
}

std::optional<double> LaneCosts::DecodeSeconds(DecoderKind decoder, double pixels,
                                               int64_t latents) const {
  MutexLock lock(mutex_);
  const Decoder& sums = decoders_[static_cast<size_t>(decoder)];
  if (!sums.is_known()) return std::nullopt;
  return sums.slower() * sums.Expect(pixels, latents);
}

std::optional<double> LaneCosts::FirstChunkSeconds(const SweepTime& sweeps, DecoderKind decoder,
                                                   const DecodedChunk& chunk,
                                                   const SweepTime& next_sweeps) const {
  MutexLock lock(mutex_);
  const Decoder& sums = decoders_[static_cast<size_t>(decoder)];
  if (!sums.is_known()) return std::nullopt;
  const double pixels = chunk.frame_pixels * static_cast<double>(chunk.frames);
  double decode = sums.slower() *
                  (sums.Expect(pixels, chunk.latents) + chunk.frame_pixels * sums.calibrated.begin);
  if (!sums.is_measured() && next_sweeps.seconds > 0) {
    const double busy = std::min(1.0, next_sweeps.work_seconds / next_sweeps.seconds);
    decode += std::min(decode * busy, next_sweeps.work_seconds);
  }
  // Reading takes as long whoever computes beside it.
  const double read = std::min(sweeps.read_seconds, sweeps.seconds);
  return std::max(Alone(sweep_) * sweeps.seconds, read) + decode;
}

// Lanes that ran beside each other each got half of the workers meanwhile.
double LaneCosts::Alone(const Lane& lane) const {
  return lane.busy_seconds > 0 ? 1.0 - both_seconds_ / 2 / lane.busy_seconds : 1.0;
}

double LaneCosts::ChunkSeconds(const SweepTime& sweeps, double decode_seconds) const {
  MutexLock lock(mutex_);
  const auto [shorter, longer] = std::minmax(sweeps.seconds, decode_seconds);
  const double work = Alone(sweep_) * sweeps.work_seconds + Alone(decode_) * decode_seconds;
  const Lane& lane = decode_seconds > sweeps.seconds ? decode_ : sweep_;
  const double beside = lane.busy_seconds > 0 ? both_seconds_ / lane.busy_seconds : 0.0;
  const double unmeasured = std::clamp(1.0 - beside * longer / shorter, 0.0, 1.0);
  return longer + (shorter > 0 ? unmeasured : 0.0) * std::max(0.0, work - longer);
}

}  // namespace longtake
