// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

// 100 layers' worth of transformer, like a large model cut to round numbers.
ModelMemory Large() {
  return {.resident = 400 * kMiB,
          .vae = 600 * kMiB,
          .buffers = 70 * kMiB,
          .scratch = 30 * kMiB,
          .transformer_slots = 480 * kMiB,
          .transformer_layers = 28000 * kMiB,
          .text_slots = 300 * kMiB,
          .text_layers = 10000 * kMiB};
}

TEST(MemoryPlanTest, WithoutABudgetTheDefaultsHold) {
  const auto plan = PlanMemory(Large(), {});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->kv, kKvBytesDefault);
  EXPECT_EQ(plan->sessions, kSessionBytesDefault);
  EXPECT_GT(plan->kept, 38000 * kMiB);
  EXPECT_EQ(plan->layers(), 38000 * kMiB);
}

TEST(MemoryPlanTest, NothingExceedsTheBudget) {
  for (uint64_t budget = 1900; budget < 50000; budget += 37) {
    const auto plan = PlanMemory(Large(), {.budget = budget * kMiB});
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_LE(plan->total(), budget * kMiB);
    uint64_t sum = 0;
    for (const auto& [name, bytes] : plan->Breakdown()) sum += bytes;
    EXPECT_EQ(sum, plan->total());
  }
}

// A server that could never admit anybody must not start.
TEST(MemoryPlanTest, SessionsAndKvGetTheLeastThatMakesSense) {
  const MemoryWishes wishes = {
      .budget = 2000 * kMiB, .kv_min = 10 * kMiB, .sessions_min = 90 * kMiB};
  const auto plan = PlanMemory(Large(), wishes);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->sessions, 90 * kMiB);
  EXPECT_EQ(plan->kv, 10 * kMiB);
  EXPECT_LE(plan->total(), 2000 * kMiB);
  const auto refused = PlanMemory(Large(), {.budget = 1950 * kMiB, .sessions_min = 90 * kMiB});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("90 MiB for sessions (session-bytes)"));
}

TEST(MemoryPlanTest, WhatIsLeftKeepsLayers) {
  const MemoryWishes wishes = {.budget = 4000 * kMiB, .kv = 200 * kMiB, .sessions = 300 * kMiB};
  const auto plan = PlanMemory(Large(), wishes);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->kv, 200 * kMiB);
  EXPECT_EQ(plan->sessions, 300 * kMiB);
  EXPECT_EQ(plan->kept, (4000 - 400 - 600 - 100 - 480 - 300 - 200 - 300) * kMiB);
  EXPECT_EQ(plan->total(), 4000 * kMiB);
}

TEST(MemoryPlanTest, ABudgetForEverythingNeedsNoSlots) {
  const auto plan = PlanMemory(Large(), {.budget = 60000 * kMiB});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->layers(), 38000 * kMiB);
}

TEST(MemoryPlanTest, WhatASmallModelLeavesGoesToItsSessions) {
  const ModelMemory small = {.resident = kMiB,
                             .vae = 8 * kMiB,
                             .buffers = 13 * kMiB,
                             .transformer_slots = 3 * kMiB,
                             .transformer_layers = 5 * kMiB,
                             .text_slots = kMiB,
                             .text_layers = kMiB};
  const auto plan = PlanMemory(small, {.budget = 100 * kMiB});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->kv, 36 * kMiB);
  EXPECT_EQ(plan->sessions, 36 * kMiB);
  EXPECT_EQ(plan->total(), 100 * kMiB);
}

TEST(MemoryPlanTest, EveryPartCounts) {
  MemoryWishes wishes = {.budget = 4000 * kMiB, .kv = 200 * kMiB, .sessions = 300 * kMiB};
  const uint64_t without = PlanMemory(Large(), wishes)->kept;
  wishes.prompt_cache = 32 * kMiB;
  wishes.kv_staging = 64 * kMiB;
  EXPECT_EQ(PlanMemory(Large(), wishes)->kept, without - 96 * kMiB);
  const MemoryPlan plan = *PlanMemory(Large(), wishes);
  uint64_t sum = 0;
  for (const auto& [name, bytes] : plan.Breakdown()) sum += bytes;
  EXPECT_EQ(sum, plan.total());
  EXPECT_EQ(plan.total(), 4000 * kMiB);
}

TEST(MemoryPlanTest, SumsBeyondAllNumbersAreTooLarge) {
  constexpr uint64_t kMost = uint64_t{1} << 63;
  const auto plan = PlanMemory(
      Large(), {.budget = 4000 * kMiB, .sessions = kMost - 2, .prompt_cache = kMost - 2});
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kResourceExhausted);
  const auto unbounded = PlanMemory(Large(), {.sessions = kMost - 2, .prompt_cache = kMost - 2});
  ASSERT_TRUE(unbounded.ok());
  EXPECT_EQ(unbounded->total(), kMost - 1);
}

TEST(MemoryPlanTest, KeptBytesAreAnUpperBound) {
  const auto plan = PlanMemory(Large(), {.budget = 60000 * kMiB, .kept = 0});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->layers(), 780 * kMiB);
}

TEST(MemoryPlanTest, TooLittleSaysHowMuchAndForWhat) {
  const auto plan = PlanMemory(Large(), {.budget = 1800 * kMiB, .kv = 500 * kMiB});
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kResourceExhausted);
  const std::string message(plan.status().message());
  EXPECT_THAT(message, HasSubstr("memory-budget: 1800 MiB are 580 MiB too few"));
  EXPECT_THAT(message, HasSubstr("780 MiB for layers of the model (slots, kept-bytes)"));
  EXPECT_THAT(message, HasSubstr("500 MiB for keys and values (kv-bytes)"));
  EXPECT_THAT(message, ::testing::Not(HasSubstr("\n"))) << "a terminal shows it as one line";
}

}  // namespace
}  // namespace longtake
