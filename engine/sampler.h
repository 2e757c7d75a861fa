// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Flow-matching samplers over a fixed list of noise levels (spec 4.1, 4.2, 4.4): x_t = (1-sigma) x0
// + sigma eps, the network predicts v = eps - x0. Pure functions; no state beyond the list.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/recipe.h"

namespace longtake {

struct NoiseLevel {
  double sigma = 0.0;
  double timestep = 0.0;  // what the network is told; fractional
};

// The levels of a recipe's steps, noisiest first. steps overrides the recipe's list when not empty.
std::vector<NoiseLevel> NoiseLevels(const Recipe& recipe, std::span<const double> steps = {});

// One step in place: x at levels[step] with flow v becomes x at levels[step + 1], or x0 after the
// last. noise is read only by kFewStep before the last step, same length as x.
struct SamplerStep {
  SamplerKind kind = SamplerKind::kFewStep;
  std::span<const NoiseLevel> levels;
  int64_t step = 0;
};
void AdvanceSample(const SamplerStep& at, std::span<const float> flow, std::span<const float> noise,
                   std::span<float> x);

}  // namespace longtake
