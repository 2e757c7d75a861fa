// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Prompt ids to frames over five chunks against an independent float64 reference: fixture F13. The
// engine's own rollout decides the forwards, draws the noise and keeps the K/V.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "tests/golden/golden_backend.h"
#include "tests/golden/golden_table.h"
#include "tests/golden/table_roll.h"
#include "tests/golden/tiny_model.h"
#include "tests/golden/tiny_vae.h"

namespace longtake {
namespace {

constexpr double kLimit = 1e-5;
constexpr int64_t kLatentSide = 4;
constexpr int64_t kChunkFrames = 3;
constexpr int64_t kChunks = 5;
constexpr uint64_t kKvBytes = 8 << 20;

RolloutSpec MakeSpec(const Fixture& fixture, const TinyTransformer& tiny, KeyPlanSpec plan) {
  Recipe recipe;
  recipe.steps = {1000, 750, 500, 250};
  recipe.warp_steps = true;
  recipe.shift = 5.0;
  RolloutSpec spec;
  spec.levels = NoiseLevels(recipe);
  spec.key_plan = plan;
  spec.chunk.frames = kChunkFrames;
  spec.seed = fixture.Seed("session_seed");
  spec.chunk.height = spec.chunk.width = kLatentSide;
  spec.chunk_count = kChunks;
  spec.kv_layout = tiny.model->kv_layout(kLatentSide, kLatentSide);
  return spec;
}

// Latents of a whole rollout, chunk by chunk.
std::vector<Latents> Roll(const Fixture& fixture, Backend& backend, KeyPlanSpec plan) {
  TinyTextEncoder encoder(
      {.config_json = fixture.Metadata("text_encoder"), .seed = fixture.Seed("text_encoder_seed")},
      backend);
  const std::vector<float> states = encoder.Encode({fixture.Ints("ids")})[0];
  ExpectClose("f13 states", states, fixture.Floats("states"), kLimit);

  TinyTransformer tiny({.config_json = fixture.Metadata("transformer"),
                        .seed = fixture.Seed("transformer_seed"),
                        .stream = {},
                        .model = {.tokens_max = 512, .kv_dtype = DType::kF32}},
                       backend);
  const auto pool = Must(KvPool::Create(tiny.model->device(), kKvBytes));
  TableRoll roll(MakeSpec(fixture, tiny, plan), tiny, *pool);
  Rollout* rollout = roll.rollout.get();
  rollout->SetText(0, PromptTexts(Must(tiny.model->NewTextContext(
                          states, static_cast<int64_t>(fixture.Ints("ids").size())))));
  std::vector<Latents> chunks;
  while (!rollout->done()) {
    roll.Sweep(512);
    std::optional<FinishedChunk> chunk = roll.Settle();
    if (chunk.has_value()) chunks.push_back(std::move(chunk->latents));
  }
  return chunks;
}

double LatentError(const Fixture& fixture, const std::string& tensor,
                   const std::vector<Latents>& chunks) {
  std::vector<float> all;
  for (const Latents& chunk : chunks) {
    all.insert(all.end(), chunk.values().begin(), chunk.values().end());
  }
  return RelativeError(all, fixture.Floats(tensor));
}

class PipelineGolden : public testing::TestWithParam<std::string> {};

TEST_P(PipelineGolden, LatentsAndFramesOfAWindowWithSink) {
  const Fixture fixture("f13");
  GoldenBackend backend(GetParam());
  const auto chunks = Roll(fixture, backend.get(), {KeyPlanKind::kWindow, 9, 3});
  ASSERT_EQ(chunks.size(), static_cast<size_t>(kChunks));
  ExpectError("f13 window.latents", LatentError(fixture, "window.latents", chunks), kLimit);

  GoldenBackend convolving("");  // the reference backend has no convolutions
  TinyVae vae({.config_json = fixture.Metadata("vae"), .seed = fixture.Seed("vae_seed")},
              convolving.get());
  VaeCache cache;
  std::vector<uint8_t> pixels;
  for (const Latents& chunk : chunks) {
    std::vector<uint8_t> rgb;
    MustBeOk(
        vae.decoder->Decode({chunk.values(), kChunkFrames, kLatentSide, kLatentSide}, cache, &rgb));
    pixels.insert(pixels.end(), rgb.begin(), rgb.end());
  }
  const std::vector<uint8_t> expected = fixture.Bytes("pixels");
  ASSERT_EQ(pixels.size(), expected.size());
  size_t differing = 0;
  for (size_t i = 0; i < pixels.size(); ++i) {
    const int difference = std::abs(int{pixels[i]} - int{expected[i]});
    ASSERT_LE(difference, 1) << "at byte " << i;
    differing += difference != 0;
  }
  // Only values on the edge between two bytes may fall to the other side.
  EXPECT_LT(differing, pixels.size() / 1000);
}

TEST_P(PipelineGolden, LatentsOfARollingSink) {
  const Fixture fixture("f13");
  GoldenBackend backend(GetParam());
  const auto chunks = Roll(fixture, backend.get(), {KeyPlanKind::kRollingSink, 9, 0});
  ExpectError("f13 rolling_sink.latents", LatentError(fixture, "rolling_sink.latents", chunks),
              kLimit);
}

// The plans of F5, which an independent reference wrote, are those of the engine.
TEST(PlanGolden, PlansAreTheReferences) {
  constexpr size_t kRows = 18;
  const Fixture fixture("f5");
  const std::pair<std::string, KeyPlanSpec> cases[] = {
      {"global", {KeyPlanKind::kGlobal, 21, 0}},
      {"window9", {KeyPlanKind::kWindow, 9, 0}},
      {"window9_sink3", {KeyPlanKind::kWindow, 9, 3}},
      {"rolling_sink", {KeyPlanKind::kRollingSink, 21, 0}}};
  for (const auto& [name, spec] : cases) {
    const std::vector<int32_t> stored = fixture.Ints(name + ".plan");
    const size_t chunks = stored.size() / kRows / 2;
    for (size_t chunk = 0; chunk < chunks; ++chunk) {
      std::vector<PlannedKey> expected;
      for (size_t row = 0; row < kRows; ++row) {
        const int32_t* entry = stored.data() + (chunk * kRows + row) * 2;
        if (entry[0] >= 0) expected.push_back({entry[0], entry[1]});
      }
      EXPECT_EQ(PlanKeys(spec, static_cast<int64_t>(chunk) * 3, 3).keys, expected)
          << name << ", chunk " << chunk;
    }
  }
}

// The comparison can tell: another plan is far off.
TEST(PipelineGoldenMutation, ADroppedSinkIsSeen) {
  const Fixture fixture("f13");
  GoldenBackend backend("");
  const auto chunks = Roll(fixture, backend.get(), {KeyPlanKind::kWindow, 9, 0});
  EXPECT_GT(LatentError(fixture, "window.latents", chunks), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Backends, PipelineGolden, testing::Values("reference", "", "late"));

}  // namespace
}  // namespace longtake
