// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Flow-matching samplers (spec 4): x_t = (1-sigma) x0 + sigma eps, the network predicts v = eps -
// x0. A sampler holds what one chunk's sampling needs between steps; it is restarted for each
// chunk.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/policy/recipe.h"

namespace longtake {

struct NoiseLevel {
  double sigma = 0.0;
  double timestep = 0.0;  // what the network is told
};

// What of the recipe a session may change.
struct StepChoice {
  std::vector<double> steps = {};  // kFewStep, kEuler: the list; empty: the recipe's
  int64_t step_count = 0;          // kUniPc; 0: the recipe's
};

// The levels of one chunk, noisiest first.
std::vector<NoiseLevel> NoiseLevels(const Recipe& recipe, const StepChoice& choice = {});

class Sampler {
 public:
  Sampler(SamplerKind kind, std::vector<NoiseLevel> levels)
      : kind_(kind), levels_(std::move(levels)) {}

  int64_t step_count() const { return static_cast<int64_t>(levels_.size()); }
  const NoiseLevel& level(int64_t step) const { return levels_[static_cast<size_t>(step)]; }
  // Whether Advance of this step reads noise.
  bool DrawsNoise(int64_t step) const {
    return kind_ == SamplerKind::kFewStep && step + 1 < step_count();
  }

  // One step in place: x at level(step) with flow v becomes x at level(step + 1), or x0 after the
  // last. Steps are taken in order, each once; step 0 forgets the chunk before.
  void Advance(int64_t step, std::span<const float> flow, std::span<const float> noise,
               std::span<float> x);

 private:
  void AdvanceUniPc(int64_t step, std::span<const float> flow, std::span<float> x);

  SamplerKind kind_;
  std::vector<NoiseLevel> levels_;
  // Of UniPC: the latest predictions of x0, latest first, and the last corrected sample.
  std::vector<float> clip_[3];
  std::vector<float> sample_;
  int previous_order_ = 0;
};

}  // namespace longtake
