// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The text encoder against transformers in float64: fixture F9.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/golden/golden_backend.h"
#include "tests/golden/golden_table.h"
#include "tests/golden/tiny_model.h"

namespace longtake {
namespace {

constexpr double kLimit = 1e-5;
constexpr size_t kRealTokens = 13;

class Umt5Golden : public testing::TestWithParam<std::string> {};

TEST_P(Umt5Golden, StatesAreThePublishedModels) {
  const Fixture fixture("f9");
  GoldenBackend backend(GetParam());
  TinyTextEncoder encoder(
      {.config_json = fixture.Metadata("text_encoder"), .seed = fixture.Seed("weight_seed")},
      backend.get());
  std::vector<int32_t> ids = fixture.Ints("ids");
  ids.resize(kRealTokens);
  const auto states = encoder.Encode({ids, fixture.Ints("long.ids")});

  std::vector<float> expected = fixture.Floats("states");
  expected.resize(states[0].size());  // padded rows mean nothing
  ExpectClose("f9 states", states[0], expected, kLimit);
  // 230 tokens reach every bucket of the relative bias.
  ExpectClose("f9 long.states", states[1], fixture.Floats("long.states"), kLimit);

  // In the same sweep or alone: the same bits.
  EXPECT_EQ(encoder.Encode({ids})[0], states[0]);
}

TEST_P(Umt5Golden, Bf16WeightsStayClose) {
  const Fixture fixture("f9");
  GoldenBackend backend(GetParam());
  TinyTextEncoder encoder({.config_json = fixture.Metadata("text_encoder"),
                           .seed = fixture.Seed("weight_seed"),
                           .dtype = DType::kBf16},
                          backend.get());
  const auto states = encoder.Encode({fixture.Ints("long.ids")});
  const double error = RelativeError(states[0], fixture.Floats("long.states"));
  ExpectError("f9 long.states, bf16 weights", error, 2e-2);
  EXPECT_GT(error, 1e-4);  // the weights really were narrowed
}

INSTANTIATE_TEST_SUITE_P(Backends, Umt5Golden,
                         testing::Values("reference", "x86-64-v3", "", "late"));

}  // namespace
}  // namespace longtake
