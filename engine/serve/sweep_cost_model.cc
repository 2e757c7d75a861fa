// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/sweep_cost_model.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace longtake {
namespace {

constexpr double kNewest = 0.125;  // weight of the latest sweep, once there are some
// Sizes that were not swept for so long are forgotten: what was learned of those that the batcher
// itself keeps away must not hold for ever.
constexpr uint64_t kForgetAfter = 256;
// A sweep that waits for less of its time is bound by computing.
constexpr double kWaits = 0.03;
constexpr double kLarger = 4;  // times the rows, for noise not to matter
// What was measured corrects what was expected by no more: beyond it something else went on.
constexpr double kCorrectionMax = 4;

// Half octaves.
int SizeOf(int64_t tokens) {
  return static_cast<int>(std::lround(2 * std::log2(static_cast<double>(tokens))));
}

void Mix(double& mean, double value, double weight) { mean += weight * (value - mean); }

double Correction(double measured, double expected) {
  if (!(expected > 0)) return 1.0;
  return std::clamp(measured / expected, 1 / kCorrectionMax, kCorrectionMax);
}

}  // namespace

SweepCostModel::SweepCostModel(Calibrated calibrated, Flops flops)
    : calibrated_(std::move(calibrated)), flops_(std::move(flops)) {}

SweepLoad SweepCostModel::Mean::load() const {
  return {.tokens = std::llround(tokens),
          .pairs = std::llround(pairs),
          .kv_layer_bytes = static_cast<uint64_t>(kv_layer_bytes)};
}

void SweepCostModel::Add(const SweepCost& sweep) {
  if (sweep.load.tokens <= 0 || sweep.seconds <= 0) return;
  MutexLock lock(mutex_);
  if (!std::exchange(warm_, true)) return;
  Mean& mean = means_[SizeOf(sweep.load.tokens)];
  const uint64_t number = ++sweeps_;
  mean.latest = number;
  const double weight = std::max(kNewest, 1.0 / static_cast<double>(++mean.count));
  Mix(mean.tokens, static_cast<double>(sweep.load.tokens), weight);
  Mix(mean.pairs, static_cast<double>(sweep.load.pairs), weight);
  Mix(mean.kv_layer_bytes, static_cast<double>(sweep.load.kv_layer_bytes), weight);
  Mix(mean.seconds, sweep.seconds, weight);
  Mix(mean.work_seconds, sweep.seconds - sweep.wait_seconds, weight);
  if (sweep.wait_seconds > kWaits * sweep.seconds) {
    Mix(read_seconds_, sweep.seconds, read_seconds_ == 0 ? 1.0 : kNewest);
  } else {
    read_seconds_ = std::min(read_seconds_, sweep.seconds);  // reading took less than this
  }
  std::erase_if(
      means_, [number](const auto& entry) { return number - entry.second.latest >= kForgetAfter; });
}

// What both pay whatever their size shows best in the first that is much larger.
const SweepCostModel::Mean& SweepCostModel::Larger(const Mean& small) const {
  const auto larger = std::find_if(means_.begin(), means_.end(), [&](const auto& entry) {
    return entry.second.tokens >= kLarger * small.tokens;
  });
  return larger == means_.end() ? means_.rbegin()->second : larger->second;
}

const SweepCostModel::Mean& SweepCostModel::Nearest(int64_t tokens) const {
  const int size = SizeOf(tokens);
  const auto above = means_.lower_bound(size);
  if (above == means_.begin()) return above->second;
  const auto below = std::prev(above);
  if (above == means_.end()) return below->second;
  return above->first - size < size - below->first ? above->second : below->second;
}

// A line through the smallest size and a larger one; through the origin while there is one size.
double SweepCostModel::ExpectWork(const SweepLoad& load) const {
  const Mean& small = means_.begin()->second;
  const Mean& large = Larger(small);
  const double small_flops = flops_(small.load());
  double per_flop = small.work_seconds / small_flops;
  if (&large != &small) {
    per_flop = (large.work_seconds - small.work_seconds) / (flops_(large.load()) - small_flops);
  }
  // Noise; then all sizes cost the same.
  if (!(per_flop > 0) || !std::isfinite(per_flop)) return small.work_seconds;
  return std::max(0.0, small.work_seconds - per_flop * small_flops) + per_flop * flops_(load);
}

SweepTime SweepCostModel::Expect(const SweepLoad& load) const {
  if (calibrated()) return calibrated_(load);
  const double work = ExpectWork(load);
  return {.seconds = std::max(read_seconds_, work),
          .read_seconds = read_seconds_,
          .work_seconds = work};
}

std::optional<SweepTime> SweepCostModel::Predict(const SweepLoad& load) const {
  MutexLock lock(mutex_);
  if (means_.empty()) return calibrated() ? std::optional(calibrated_(load)) : std::nullopt;
  SweepTime time = Expect(load);
  const Mean& mean = Nearest(load.tokens);
  const SweepTime expected = Expect(mean.load());
  time.seconds *= Correction(mean.seconds, expected.seconds);
  time.work_seconds *= Correction(mean.work_seconds, expected.work_seconds);
  return time;
}

std::optional<SweepTime> SweepCostModel::PredictAll(std::span<const SweepLoad> loads) const {
  SweepTime sum;
  for (const SweepLoad& load : loads) {
    const std::optional<SweepTime> time = Predict(load);
    if (!time.has_value()) return std::nullopt;
    sum.seconds += time->seconds;
    sum.read_seconds += time->read_seconds;
    sum.work_seconds += time->work_seconds;
  }
  return sum;
}

std::optional<int64_t> SweepCostModel::Knee() const {
  MutexLock lock(mutex_);
  if (means_.size() < (calibrated() ? 1 : 2)) return std::nullopt;
  const Mean& small = means_.begin()->second;
  const SweepLoad one = small.load();
  const SweepLoad four = {.tokens = 4 * one.tokens, .pairs = 4 * one.pairs};
  const double expected = Expect(one).work_seconds;
  const double correction = Correction(small.work_seconds, expected);
  const auto tokens = static_cast<double>(one.tokens);
  const double per_token = correction * (Expect(four).work_seconds - expected) / (3 * tokens);
  // Noise; a cost that does not grow with rows has no knee.
  if (!(per_token > 0)) return std::nullopt;
  const double fixed = std::max(0.0, correction * expected - per_token * tokens);
  // tokens * per_token / max(read, fixed + tokens * per_token) >= kEfficient
  const double hidden = kEfficient * read_seconds_;
  const double spread = kEfficient / (1 - kEfficient) * fixed;
  constexpr double kMost = 1e12;
  const double knee = std::max(hidden, spread) / per_token;
  return static_cast<int64_t>(std::ceil(std::clamp(knee, 1.0, kMost)));
}

}  // namespace longtake
