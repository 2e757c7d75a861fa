// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// UniPC against a float64 reference that agrees with diffusers' scheduler: fixture F11. Two
// spacings, up to 50 steps, three shifts, an analytic flow that is far from straight.
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/policy/sampler.h"
#include "tests/golden/fixture.h"
#include "tests/golden/golden_table.h"

namespace longtake {
namespace {

std::vector<float> Velocity(const std::vector<float>& x, double sigma) {
  std::vector<float> flow;
  for (float value : x) {
    flow.push_back(static_cast<float>(std::tanh(1.5 * value) + 0.4 * std::sin(5 * sigma)));
  }
  return flow;
}

class SamplerGolden : public testing::TestWithParam<SigmaSpacing> {};

TEST_P(SamplerGolden, LevelsAndTrajectoryAreThePublishedSolvers) {
  const Fixture fixture("f11");
  const std::string spacing = GetParam() == SigmaSpacing::kWan ? "wan" : "diffusers";
  for (int64_t count : {1, 2, 3, 8, 20, 50}) {
    for (int shift : {3, 5, 8}) {
      Recipe recipe;
      recipe.sampler = SamplerKind::kUniPc;
      recipe.spacing = GetParam();
      recipe.shift = shift;
      const auto levels = NoiseLevels(recipe, {.step_count = count});
      const std::string name = absl::StrCat(spacing, ".n", count, ".s", shift);
      const std::vector<float> sigma = fixture.Floats(name + ".sigma");
      const std::vector<float> t = fixture.Floats(name + ".t");
      const std::vector<float> trajectory = fixture.Floats(name + ".x");
      ASSERT_EQ(levels.size(), sigma.size());
      Sampler sampler(SamplerKind::kUniPc, levels);
      // A second chunk with the same sampler must not remember the first.
      for (int chunk = 0; chunk < 2; ++chunk) {
        std::vector<float> x = fixture.Floats("start");
        for (int64_t i = 0; i < count; ++i) {
          const auto at = static_cast<size_t>(i);
          EXPECT_EQ(static_cast<float>(levels[at].sigma), sigma[at]) << name << ", step " << i;
          EXPECT_EQ(static_cast<float>(levels[at].timestep), t[at]) << name << ", step " << i;
          sampler.Advance(i, Velocity(x, levels[at].sigma), {}, x);
          ExpectClose("f11 " + spacing + " trajectory", x,
                      std::span(trajectory).subspan(at * x.size(), x.size()), 1e-5);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Spacings, SamplerGolden,
                         testing::Values(SigmaSpacing::kWan, SigmaSpacing::kDiffusers));

}  // namespace
}  // namespace longtake
