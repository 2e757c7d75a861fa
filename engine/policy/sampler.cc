// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/policy/sampler.h"

#include <algorithm>
#include <cmath>
#include <utility>

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

// Sigmas are float32 and timesteps whole numbers, as published (spec 4.4).
std::vector<NoiseLevel> UniPcLevels(const Recipe& recipe, int64_t count) {
  std::vector<NoiseLevel> levels;
  for (int64_t i = 0; i < count; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(count);
    const double u =
        recipe.spacing == SigmaSpacing::kWan ? 0.999 * (1.0 - part) : 1.0 - 0.999 * part;
    auto sigma = static_cast<float>(Shift(u, recipe.shift));
    // The newer spacing begins at pure noise, whose log is infinite.
    if (recipe.spacing == SigmaSpacing::kDiffusers && i == 0) sigma -= 1e-6f;
    levels.push_back({sigma, std::trunc(1000.0 * static_cast<double>(sigma))});
  }
  return levels;
}

double Lambda(double sigma) { return std::log(1.0 - sigma) - std::log(sigma); }

// The weights of the UniC corrector of order 2 (spec 4.4).
struct CorrectorWeights {
  double older = 0.0;
  double newest = 0.0;
};
CorrectorWeights SecondOrderWeights(double h, double r) {
  const double b = std::expm1(-h);
  const double phi = b / -h - 1.0;
  const double b1 = phi / b;
  const double b2 = 2.0 * (phi / -h - 0.5) / b;
  // rho1 + rho2 = b1 and r rho1 + rho2 = b2.
  const double rho1 = (b2 - b1) / (r - 1.0);
  return {rho1, b1 - rho1};
}

}  // namespace

std::vector<NoiseLevel> NoiseLevels(const Recipe& recipe, const StepChoice& choice) {
  if (recipe.sampler == SamplerKind::kUniPc) {
    return UniPcLevels(recipe, choice.step_count != 0 ? choice.step_count : recipe.step_count);
  }
  std::vector<NoiseLevel> levels;
  for (double step : choice.steps.empty() ? recipe.steps : choice.steps) {
    if (recipe.warp_steps) {
      const double sigma = Shift(step / 1000.0, recipe.shift);
      levels.push_back({sigma, 1000.0 * sigma});
    } else {
      levels.push_back({NearestSigma(step, recipe.shift), step});
    }
  }
  return levels;
}

void Sampler::Advance(int64_t step, std::span<const float> flow, std::span<const float> noise,
                      std::span<float> x) {
  LT_CHECK(step >= 0 && step < step_count() && flow.size() == x.size());
  LT_CHECK(!DrawsNoise(step) || noise.size() == x.size());
  if (kind_ == SamplerKind::kUniPc) {
    AdvanceUniPc(step, flow, x);
    return;
  }
  const double sigma = level(step).sigma;
  const bool last = step + 1 == step_count();
  const double next = last ? 0.0 : level(step + 1).sigma;
  for (size_t i = 0; i < x.size(); ++i) {
    const double value = x[i];
    if (kind_ == SamplerKind::kEuler) {
      x[i] = static_cast<float>(value + (next - sigma) * static_cast<double>(flow[i]));
      continue;
    }
    const double x0 = static_cast<float>(value - sigma * static_cast<double>(flow[i]));
    x[i] = static_cast<float>(last ? x0 : (1.0 - next) * x0 + next * static_cast<double>(noise[i]));
  }
}

// Order 2, bh2, prediction of x0 (spec 4.4): correct the sample that the last step predicted, then
// predict the next.
void Sampler::AdvanceUniPc(int64_t step, std::span<const float> flow, std::span<float> x) {
  const double sigma = level(step).sigma;
  if (step == 0) previous_order_ = 0;
  std::rotate(clip_, clip_ + 2, clip_ + 3);
  std::vector<float>& clip = clip_[0];
  clip.resize(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    clip[i] = static_cast<float>(x[i] - sigma * static_cast<double>(flow[i]));
  }
  if (step > 0) {
    const double from = level(step - 1).sigma;
    const double h = Lambda(sigma) - Lambda(from);
    const double b = std::expm1(-h);
    CorrectorWeights weights{0.0, 0.5};
    double r = 1.0;
    if (previous_order_ == 2) {
      r = (Lambda(level(step - 2).sigma) - Lambda(from)) / h;
      weights = SecondOrderWeights(h, r);
    }
    for (size_t i = 0; i < x.size(); ++i) {
      const double base = clip_[1][i];
      const double older = previous_order_ == 2 ? (clip_[2][i] - base) / r : 0.0;
      const double change = weights.older * older + weights.newest * (clip[i] - base);
      x[i] = static_cast<float>(sigma / from * sample_[i] - (1.0 - sigma) * b * (base + change));
    }
  }
  sample_.assign(x.begin(), x.end());
  const int64_t left = step_count() - step;
  previous_order_ = static_cast<int>(std::min<int64_t>({2, left, step + 1}));
  if (left == 1) {
    std::copy(clip.begin(), clip.end(), x.begin());
    return;
  }
  const double next = level(step + 1).sigma;
  const double h = Lambda(next) - Lambda(sigma);
  const double b = std::expm1(-h);
  const double r = previous_order_ == 2 ? (Lambda(level(step - 1).sigma) - Lambda(sigma)) / h : 1.0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double base = clip[i];
    const double change = previous_order_ == 2 ? 0.5 * (clip_[1][i] - base) / r : 0.0;
    x[i] = static_cast<float>(next / sigma * sample_[i] - (1.0 - next) * b * (base + change));
  }
}

}  // namespace longtake
