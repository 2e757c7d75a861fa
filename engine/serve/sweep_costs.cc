// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/sweep_costs.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace longtake {
namespace {

constexpr double kNewest = 0.25;  // weight of the latest sweep
// Then everything is learned anew: what was learned of sizes that the batcher itself keeps away
// must not hold for ever.
constexpr uint64_t kForgetEvery = 256;
// A sweep that waits for less of its time is bound by computing.
constexpr double kWaits = 0.03;
constexpr double kLarger = 4;  // times the rows, for noise not to matter

void Mix(double& mean, double value) { mean += (mean == 0 ? 1.0 : kNewest) * (value - mean); }

}  // namespace

void SweepCosts::Add(const SweepCost& sweep) {
  if (sweep.tokens <= 0 || sweep.seconds <= 0) return;
  // The first one loads what is kept, and warms up.
  if (!std::exchange(warm_, true)) return;
  const auto tokens = static_cast<double>(sweep.tokens);
  Mean& mean = means_[static_cast<int>(std::lround(2 * std::log2(tokens)))];
  Mix(mean.tokens, tokens);
  Mix(mean.work_seconds, sweep.seconds - sweep.wait_seconds);
  if (sweep.wait_seconds > kWaits * sweep.seconds) {
    Mix(read_seconds_, sweep.seconds);
  } else {
    read_seconds_ = std::min(read_seconds_, sweep.seconds);  // reading took less than this
  }
  if (++sweeps_ % kForgetEvery == 0) means_.clear();
}

// Attention makes the rows of a large session dearer than those of a small one, so a line from the
// smallest sweep to the largest would hide what both pay whatever their size. The line goes to the
// first that is much larger.
const SweepCosts::Mean& SweepCosts::Larger(const Mean& small) const {
  const auto larger = std::find_if(means_.begin(), means_.end(), [&](const auto& entry) {
    return entry.second.tokens >= kLarger * small.tokens;
  });
  return larger == means_.end() ? means_.rbegin()->second : larger->second;
}

std::optional<int64_t> SweepCosts::Knee() const {
  if (means_.size() < 2) return std::nullopt;
  const Mean& small = means_.begin()->second;
  const Mean& large = Larger(small);
  const double per_token =
      (large.work_seconds - small.work_seconds) / (large.tokens - small.tokens);
  // Noise; a cost that does not grow with rows has no knee.
  if (!(per_token > 0)) return std::nullopt;
  const double fixed = std::max(0.0, small.work_seconds - per_token * small.tokens);
  // tokens * per_token / max(read, fixed + tokens * per_token) >= kEfficient
  const double hidden = kEfficient * read_seconds_;
  const double spread = kEfficient / (1 - kEfficient) * fixed;
  constexpr double kMost = 1e12;
  const double knee = std::max(hidden, spread) / per_token;
  return static_cast<int64_t>(std::ceil(std::clamp(knee, 1.0, kMost)));
}

}  // namespace longtake
