// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/sampler.h"

#include <cmath>

#include "base/status_macros.h"

namespace longtake {
namespace {

double Shift(double u, double shift) { return shift * u / (1.0 + (shift - 1.0) * u); }

// Entry i of the training table has u = 1 - i / 1000.
double TableSigma(int64_t i, double shift) {
  return Shift(1.0 - static_cast<double>(i) / 1000.0, shift);
}

// An unwarped timestep takes the sigma of the nearest table entry (spec 4.2).
double NearestSigma(double timestep, double shift) {
  double best = TableSigma(0, shift);
  for (int64_t i = 1; i < 1000; ++i) {
    const double sigma = TableSigma(i, shift);
    if (std::abs(1000.0 * sigma - timestep) < std::abs(1000.0 * best - timestep)) best = sigma;
  }
  return best;
}

}  // namespace

std::vector<NoiseLevel> NoiseLevels(const Recipe& recipe, std::span<const double> steps) {
  if (steps.empty()) steps = recipe.steps;
  std::vector<NoiseLevel> levels;
  for (double step : steps) {
    if (recipe.warp_steps) {
      const double sigma = Shift(step / 1000.0, recipe.shift);
      levels.push_back({sigma, 1000.0 * sigma});
    } else {
      levels.push_back({NearestSigma(step, recipe.shift), step});
    }
  }
  return levels;
}

void AdvanceSample(const SamplerStep& at, std::span<const float> flow, std::span<const float> noise,
                   std::span<float> x) {
  const auto step = static_cast<size_t>(at.step);
  LT_CHECK(step < at.levels.size() && flow.size() == x.size());
  const double sigma = at.levels[step].sigma;
  const bool last = step + 1 == at.levels.size();
  const double next = last ? 0.0 : at.levels[step + 1].sigma;
  const bool draws = at.kind == SamplerKind::kFewStep && !last;
  LT_CHECK(!draws || noise.size() == x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const double value = x[i];
    if (at.kind == SamplerKind::kEuler) {
      x[i] = static_cast<float>(value + (next - sigma) * static_cast<double>(flow[i]));
      continue;
    }
    const double x0 = static_cast<float>(value - sigma * static_cast<double>(flow[i]));
    x[i] = static_cast<float>(last ? x0 : (1.0 - next) * x0 + next * static_cast<double>(noise[i]));
  }
}

}  // namespace longtake
