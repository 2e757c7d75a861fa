// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/policy/sampler.h"

#include <gtest/gtest.h>

#include <cmath>

namespace longtake {
namespace {

Recipe MakeRecipe(std::vector<double> steps, bool warp, double shift) {
  Recipe recipe;
  recipe.steps = std::move(steps);
  recipe.warp_steps = warp;
  recipe.shift = shift;
  return recipe;
}

// The lists of spec 4.2.
TEST(SamplerTest, LevelsOfThePublishedLists) {
  const auto self_forcing = NoiseLevels(MakeRecipe({1000, 750, 500, 250}, true, 5));
  const double expected[] = {1000, 937.5, 833.3333333, 625};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(self_forcing[i].timestep, expected[i], 1e-6);
    EXPECT_NEAR(self_forcing[i].sigma, expected[i] / 1000, 1e-9);
  }
  const auto rolling = NoiseLevels(MakeRecipe({1000, 800, 600, 400, 200}, true, 5));
  EXPECT_NEAR(rolling[1].timestep, 952.38104, 2e-4);
  EXPECT_NEAR(rolling[4].timestep, 555.55560, 2e-4);
  const auto causvid = NoiseLevels(MakeRecipe({1000, 757, 522}, false, 8));
  EXPECT_EQ(causvid[1].timestep, 757);
  EXPECT_NEAR(causvid[1].sigma, 0.7567567, 1e-6);
  EXPECT_NEAR(causvid[2].sigma, 0.5217391, 1e-6);
}

// With the exact flow v = eps - x0 every sampler must land on x0.
TEST(SamplerTest, ExactFlowLandsOnTheClip) {
  const auto levels = NoiseLevels(MakeRecipe({1000, 750, 500, 250}, true, 5));
  const std::vector<float> clip = {0.5f, -1.25f, 2.0f};
  for (SamplerKind kind : {SamplerKind::kFewStep, SamplerKind::kEuler, SamplerKind::kUniPc}) {
    Sampler sampler(kind, levels);
    std::vector<float> x = {0.3f, 0.1f, -0.7f};
    for (size_t step = 0; step < levels.size(); ++step) {
      std::vector<float> flow(3);
      for (size_t i = 0; i < 3; ++i) {
        flow[i] = static_cast<float>((x[i] - clip[i]) / levels[step].sigma);
      }
      const std::vector<float> noise = {1.0f, -1.0f, 0.25f};
      sampler.Advance(static_cast<int64_t>(step), flow, noise, x);
    }
    for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(x[i], clip[i], 1e-5);
  }
}

TEST(SamplerTest, FewStepMixesFreshNoiseAtTheNextLevel) {
  const auto levels = NoiseLevels(MakeRecipe({1000, 750}, true, 5));
  std::vector<float> x = {0.0f};
  Sampler sampler(SamplerKind::kFewStep, levels);
  EXPECT_TRUE(sampler.DrawsNoise(0));
  EXPECT_FALSE(sampler.DrawsNoise(1));
  sampler.Advance(0, std::vector<float>{-2.0f}, std::vector<float>{10.0f}, x);
  EXPECT_NEAR(x[0], (1 - 0.9375) * 2.0 + 0.9375 * 10.0, 1e-6);
}

}  // namespace
}  // namespace longtake
