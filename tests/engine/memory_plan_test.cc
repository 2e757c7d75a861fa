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
  return {.resident = {.host = 400 * kMiB},
          .vae = {.host = 600 * kMiB},
          .buffers = {.host = 70 * kMiB},
          .scratch = {.host = 30 * kMiB},
          .transformer_slots = 480 * kMiB,
          .transformer_layers = 28000 * kMiB,
          .text_slots = 300 * kMiB,
          .text_layers = 10000 * kMiB};
}

TEST(MemoryPlanTest, WithoutABudgetTheDefaultsHold) {
  const auto plan = PlanMemory(Large(), {});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->kv, kKvBytesDefault);
  EXPECT_EQ(plan->sessions.host, kSessionBytesDefault);
  EXPECT_GT(plan->kept, 38000 * kMiB);
  EXPECT_EQ(plan->layers(), 38000 * kMiB);
}

TEST(MemoryPlanTest, NothingExceedsTheBudget) {
  for (uint64_t budget = 1900; budget < 50000; budget += 37) {
    const auto plan = PlanMemory(Large(), {.budget = budget * kMiB});
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_LE(plan->total().host, budget * kMiB);
    uint64_t sum = 0;
    for (const auto& [name, use] : plan->Breakdown()) sum += use.total();
    EXPECT_EQ(sum, plan->total().host);
  }
}

// A server that could never admit anybody must not start.
TEST(MemoryPlanTest, SessionsAndKvGetTheLeastThatMakesSense) {
  const MemoryWishes wishes = {
      .budget = 2000 * kMiB, .kv_min = 10 * kMiB, .sessions_min = 90 * kMiB};
  const auto plan = PlanMemory(Large(), wishes);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->sessions.host, 90 * kMiB);
  EXPECT_EQ(plan->kv, 10 * kMiB);
  EXPECT_LE(plan->total().host, 2000 * kMiB);
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
  EXPECT_EQ(plan->sessions.host, 300 * kMiB);
  EXPECT_EQ(plan->kept, (4000 - 400 - 600 - 100 - 480 - 300 - 200 - 300) * kMiB);
  EXPECT_EQ(plan->total().host, 4000 * kMiB);
}

TEST(MemoryPlanTest, ABudgetForEverythingNeedsNoSlots) {
  const auto plan = PlanMemory(Large(), {.budget = 60000 * kMiB});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->layers(), 38000 * kMiB);
}

TEST(MemoryPlanTest, WhatASmallModelLeavesGoesToItsSessions) {
  const ModelMemory small = {.resident = {.host = kMiB},
                             .vae = {.host = 8 * kMiB},
                             .buffers = {.host = 13 * kMiB},
                             .scratch = {},
                             .transformer_slots = 3 * kMiB,
                             .transformer_layers = 5 * kMiB,
                             .text_slots = kMiB,
                             .text_layers = kMiB};
  const auto plan = PlanMemory(small, {.budget = 100 * kMiB});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->kv, 36 * kMiB);
  EXPECT_EQ(plan->sessions.host, 36 * kMiB);
  EXPECT_EQ(plan->total().host, 100 * kMiB);
}

TEST(MemoryPlanTest, EveryPartCounts) {
  MemoryWishes wishes = {.budget = 4000 * kMiB, .kv = 200 * kMiB, .sessions = 300 * kMiB};
  const uint64_t without = PlanMemory(Large(), wishes)->kept;
  wishes.prompt_cache = 32 * kMiB;
  wishes.kv_staging = 64 * kMiB;
  wishes.store = 22 * kMiB;
  EXPECT_EQ(PlanMemory(Large(), wishes)->kept, without - 118 * kMiB);
  const MemoryPlan plan = *PlanMemory(Large(), wishes);
  uint64_t sum = 0;
  for (const auto& [name, use] : plan.Breakdown()) sum += use.total();
  EXPECT_EQ(sum, plan.total().host);
  EXPECT_EQ(plan.total().host, 4000 * kMiB);
}

TEST(MemoryPlanTest, SumsBeyondAllNumbersAreTooLarge) {
  constexpr uint64_t kMost = uint64_t{1} << 63;
  const auto plan = PlanMemory(
      Large(), {.budget = 4000 * kMiB, .sessions = kMost - 2, .prompt_cache = kMost - 2});
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kResourceExhausted);
  const auto unbounded = PlanMemory(Large(), {.sessions = kMost - 2, .prompt_cache = kMost - 2});
  ASSERT_TRUE(unbounded.ok());
  EXPECT_EQ(unbounded->total().host, kMost - 1);
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

// The same on a device with memory of its own.
ModelMemory LargeOnDevice() {
  ModelMemory model = Large();
  model.resident.device = 400 * kMiB;
  model.vae = {.device = 300 * kMiB};
  model.buffers = {.host = 10 * kMiB, .device = 50 * kMiB};
  model.has_device = true;
  return model;
}

TEST(MemoryPlanTest, ADeviceHasABudgetOfItsOwn) {
  const auto plan = PlanMemory(LargeOnDevice(), {.budget = 9000 * kMiB,
                                                 .device_budget = 4750 * kMiB,
                                                 .kv_min = 10 * kMiB,
                                                 .sessions_min = 90 * kMiB,
                                                 .device_sessions_min = 30 * kMiB});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->sessions.device, (30 + (4750 - 750 - 40) / 4) * kMiB);
  EXPECT_EQ(plan->kv, 4000 * kMiB - plan->sessions.device);
  EXPECT_EQ(plan->total(), (MemoryUse{.host = 9000 * kMiB, .device = 4750 * kMiB}));
  for (const auto& [name, use] : plan->Breakdown()) {
    if (name.starts_with("keys and values (")) {
      EXPECT_EQ(use, (MemoryUse{.device = plan->kv}));
    } else if (name.starts_with("sessions")) {
      EXPECT_EQ(use, plan->sessions);
    }
  }
  // Keys and values are none of the host's.
  const MemoryPlan alone = *PlanMemory(Large(), {.budget = 9000 * kMiB, .sessions = 90 * kMiB});
  EXPECT_EQ(alone.total(), (MemoryUse{.host = 9000 * kMiB}));
  EXPECT_GT(plan->kept + plan->sessions.host, alone.kept + alone.sessions.host);
}

TEST(MemoryPlanTest, TooLittleSaysOfWhichMemory) {
  const MemoryWishes wishes = {
      .budget = 9000 * kMiB, .device_budget = 800 * kMiB, .kv = 500 * kMiB};
  const std::string of_device(PlanMemory(LargeOnDevice(), wishes).status().message());
  EXPECT_THAT(of_device, HasSubstr("device-memory-budget: 800 MiB are 450 MiB too few"));
  EXPECT_THAT(of_device, HasSubstr("400 MiB for weights that stay"));
  EXPECT_THAT(of_device, HasSubstr("500 MiB for keys and values (kv-bytes)"));
  EXPECT_THAT(of_device, ::testing::Not(HasSubstr("layers of the model"))) << "they are the host's";
  const std::string of_host(
      PlanMemory(LargeOnDevice(), {.budget = 1000 * kMiB, .device_budget = 9000 * kMiB})
          .status()
          .message());
  EXPECT_THAT(of_host, ::testing::StartsWith("memory-budget: 1000 MiB are 220 MiB too few"));
  EXPECT_THAT(of_host, ::testing::Not(HasSubstr("VAE"))) << "they are the device's";
}

TEST(MemoryPlanTest, WithoutADeviceBudgetTheDefaultsHold) {
  const auto plan = PlanMemory(LargeOnDevice(), {.budget = 9000 * kMiB});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->kv, kKvBytesDefault);
  EXPECT_EQ(plan->sessions.device, kSessionBytesDefault);
  EXPECT_EQ(plan->total().host, 9000 * kMiB);
}

}  // namespace
}  // namespace longtake
