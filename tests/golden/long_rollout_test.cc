// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Hours of chunks with every key plan, on a tiny random model: nothing becomes infinite, grows or
// runs out of indices. LONG_ROLLOUT_CHUNKS says how many (10,000: two hours of
// video, past the 34 minutes at which the published Rolling Sink ends).
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <optional>
#include <span>

#include "tests/golden/golden_backend.h"
#include "tests/golden/table_roll.h"
#include "tests/golden/tiny_model.h"

namespace longtake {
namespace {

constexpr int64_t kLatentSide = 2;

int64_t ChunkCount() {
  const char* text = std::getenv("LONG_ROLLOUT_CHUNKS");
  return text == nullptr ? 10000 : std::atoll(text);
}

struct Policy {
  KeyPlanSpec key_plan;
  RolloutKind kind = RolloutKind::kChunks;
};

class LongRollout : public testing::TestWithParam<Policy> {};

TEST_P(LongRollout, StaysFiniteAndInItsMemory) {
  GoldenBackend backend("");
  TinyTransformer tiny({.config_json = R"({"num_attention_heads": 1, "attention_head_dim": 24,
                          "ffn_dim": 32, "num_layers": 2, "text_dim": 8})",
                        .seed = 11,
                        .stream = {},
                        .model = {.tokens_max = 64, .text_rows = 12, .kv_dtype = DType::kBf16}},
                       backend.get());
  RolloutSpec spec;
  spec.kind = GetParam().kind;
  spec.levels = {{1.0, 1000.0}};
  if (spec.kind == RolloutKind::kRolling) spec.levels.push_back({0.5, 500.0});
  spec.key_plan = GetParam().key_plan;
  spec.chunk.height = spec.chunk.width = kLatentSide;
  spec.chunk_count = ChunkCount();
  spec.kv_layout = tiny.model->kv_layout(kLatentSide, kLatentSide);
  const auto pool = Must(KvPool::Create(tiny.model->device(), 16 << 20));
  const uint64_t pages =
      Must(Rollout::FramesNeeded(spec)).held * Must(pool->PagesPerFrame(spec.kv_layout));
  TableRoll roll(spec, tiny, *pool);
  Rollout* rollout = roll.rollout.get();
  ASSERT_EQ(pool->page_count() - pool->free_page_count(), pages);
  const std::vector<float> states(8 * 3, 0.5f);
  rollout->SetText(0, PromptTexts(Must(tiny.model->NewTextContext(states, 3))));

  // Of all chunks of a kind alike: the mean square must not drift.
  std::vector<double> power;
  while (!rollout->done()) {
    roll.Sweep(64);
    const std::optional<FinishedChunk> chunk = roll.Settle();
    if (!chunk.has_value()) continue;
    const std::span<const float> latents = chunk->latents.values();
    double sum = 0;
    for (float value : latents) sum += static_cast<double>(value) * value;
    ASSERT_TRUE(std::isfinite(sum)) << "chunk " << power.size();
    power.push_back(sum / static_cast<double>(latents.size()));
  }
  ASSERT_EQ(power.size(), static_cast<size_t>(spec.chunk_count));
  const auto mean = [&](size_t first) {
    double sum = 0;
    for (size_t i = 0; i < 100; ++i) sum += power[first + i];
    return sum / 100;
  };
  EXPECT_NEAR(mean(power.size() - 100) / mean(100), 1.0, 0.2);
}

INSTANTIATE_TEST_SUITE_P(
    Plans, LongRollout,
    testing::Values(Policy{{KeyPlanKind::kWindow, 21, 0}}, Policy{{KeyPlanKind::kWindow, 12, 3}},
                    Policy{{KeyPlanKind::kSlotWindow, 12, 3}},
                    Policy{{KeyPlanKind::kRollingSink, 21, 0}},
                    Policy{{KeyPlanKind::kWindow, 12, 3}, RolloutKind::kRolling}));

}  // namespace
}  // namespace longtake
