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
// A disk that others read, too, gives half of what it gave; ten times the knee is an error of ours.
constexpr double kKneeCorrectionMax = 2;

// Half octaves.
int SizeOf(int64_t tokens) {
  return static_cast<int>(std::lround(2 * std::log2(static_cast<double>(tokens))));
}

void Mix(double& mean, double value, double weight) { mean += weight * (value - mean); }

double Correction(double measured, double expected) {
  if (!(expected > 0)) return 1.0;
  return std::clamp(measured / expected, 1 / kCorrectionMax, kCorrectionMax);
}

// tokens * per_token / max(read, fixed + tokens * per_token) >= kEfficient, with sweeps of so many
// tokens and of four times as many computed in one and four seconds. nullopt for a cost that does
// not grow with rows, which is noise.
std::optional<double> KneeOf(double read, double one, double four, double tokens) {
  const double per_token = (four - one) / (3 * tokens);
  if (!(per_token > 0)) return std::nullopt;
  const double fixed = std::max(0.0, one - per_token * tokens);
  constexpr double kEfficient = SweepCostModel::kEfficient;
  return std::max(kEfficient * read, kEfficient / (1 - kEfficient) * fixed) / per_token;
}

}  // namespace

double SweepCostModel::Mean::Least(double per_flop, uint64_t sweep) {
  if (std::exchange(period, sweep / kForgetAfter) != sweep / kForgetAfter) {
    least_before = std::exchange(least_of_period, kNever);
  }
  least_of_period = std::min(least_of_period, per_flop);
  return std::min(least_of_period, least_before);
}

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
  const double work_seconds = sweep.seconds - sweep.wait_seconds;
  Mix(mean.work_seconds, work_seconds, weight);
  mean.least_work_seconds =
      mean.Least(work_seconds / flops_(sweep.load), number) * flops_(mean.load());
  // Reading took no longer than the sweep, and all of it if the sweep had to wait.
  const bool waited = sweep.wait_seconds > kWaits * sweep.seconds;
  read_seconds_.Add(waited ? sweep.seconds : std::min(read_seconds_.value(), sweep.seconds));
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
double SweepCostModel::ExpectWork(const SweepLoad& load, Work work) const {
  const Mean& small = means_.begin()->second;
  const Mean& large = Larger(small);
  const double small_flops = flops_(small.load());
  double per_flop = small.*work / small_flops;
  if (&large != &small) {
    per_flop = (large.*work - small.*work) / (flops_(large.load()) - small_flops);
  }
  // Noise; then all sizes cost the same.
  if (!(per_flop > 0) || !std::isfinite(per_flop)) return small.*work;
  return std::max(0.0, small.*work - per_flop * small_flops) + per_flop * flops_(load);
}

SweepTime SweepCostModel::Expect(const SweepLoad& load, Work work) const {
  if (calibrated()) return calibrated_(load);
  const double read_seconds = read_seconds_.value();
  const double work_seconds = ExpectWork(load, work);
  return {.seconds = std::max(read_seconds, work_seconds),
          .read_seconds = read_seconds,
          .work_seconds = work_seconds};
}

std::optional<SweepTime> SweepCostModel::Predict(const SweepLoad& load) const {
  MutexLock lock(mutex_);
  if (means_.empty()) return calibrated() ? std::optional(calibrated_(load)) : std::nullopt;
  SweepTime time = Expect(load, &Mean::work_seconds);
  const Mean& mean = Nearest(load.tokens);
  const SweepTime expected = Expect(mean.load(), &Mean::work_seconds);
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
  const auto tokens = static_cast<double>(one.tokens);
  const SweepTime expected = Expect(one, &Mean::least_work_seconds);
  const double of_one = expected.work_seconds;
  const double of_four = Expect(four, &Mean::least_work_seconds).work_seconds;
  const double correction = Correction(small.least_work_seconds, of_one);
  std::optional<double> knee =
      KneeOf(read_seconds_.value(), correction * of_one, correction * of_four, tokens);
  if (!knee.has_value()) return std::nullopt;
  if (calibrated()) {
    const double calibrated = *KneeOf(expected.read_seconds, of_one, of_four, tokens);
    knee = std::clamp(*knee, calibrated / kKneeCorrectionMax, calibrated * kKneeCorrectionMax);
  }
  constexpr double kMost = 1e12;
  return static_cast<int64_t>(std::ceil(std::clamp(*knee, 1.0, kMost)));
}

}  // namespace longtake
