// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/prompt_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::IsNull;
using ::testing::Pointee;

using Ids = std::vector<int32_t>;

std::vector<float> States(float value) { return std::vector<float>(1000, value); }

TEST(PromptCacheTest, GivesWhatWasPutForExactlyTheseIds) {
  PromptCache cache(1 << 20);
  cache.Put(Ids{1, 2, 3}, {0.5f, 1.5f});
  EXPECT_THAT(cache.Find(Ids{1, 2, 3}), Pointee(ElementsAre(0.5f, 1.5f)));
  EXPECT_THAT(cache.Find(Ids{1, 2}), IsNull());
  EXPECT_THAT(cache.Find(Ids{1, 2, 3, 4}), IsNull());
  EXPECT_THAT(cache.Find(Ids{1, 2, 4}), IsNull());
  EXPECT_THAT(cache.Find(Ids{}), IsNull());
}

TEST(PromptCacheTest, DropsTheLeastRecentlyUsed) {
  PromptCache cache(3 * 4400);  // three of a thousand values
  for (int32_t i = 0; i < 3; ++i) cache.Put(Ids{i}, States(0));
  EXPECT_NE(cache.Find(Ids{0}), nullptr);
  cache.Put(Ids{3}, States(0));
  EXPECT_NE(cache.Find(Ids{0}), nullptr) << "used last";
  EXPECT_EQ(cache.Find(Ids{1}), nullptr);
  EXPECT_NE(cache.Find(Ids{2}), nullptr);
  EXPECT_NE(cache.Find(Ids{3}), nullptr);
}

TEST(PromptCacheTest, NeverHoldsMoreThanItMay) {
  for (const uint64_t most : {0, 100, 5000, 20000}) {
    PromptCache cache(most);
    for (int32_t i = 0; i < 100; ++i) {
      cache.Put(Ids{i % 37, i}, std::vector<float>(static_cast<size_t>(i * 53 % 2000)));
      ASSERT_LE(cache.bytes(), most);
    }
  }
}

TEST(PromptCacheTest, WhatIsTooLargeLeavesTheOthers) {
  PromptCache cache(8000);
  cache.Put(Ids{1}, States(1));
  cache.Put(Ids{2}, std::vector<float>(10000));
  EXPECT_NE(cache.Find(Ids{1}), nullptr);
  EXPECT_EQ(cache.Find(Ids{2}), nullptr);
}

TEST(PromptCacheTest, PuttingAgainChangesNothing) {
  PromptCache cache(1 << 20);
  cache.Put(Ids{1}, States(1));
  const uint64_t bytes = cache.bytes();
  cache.Put(Ids{1}, States(2));
  EXPECT_EQ(cache.bytes(), bytes);
  EXPECT_EQ(cache.Find(Ids{1})->front(), 1.0f);
}

}  // namespace
}  // namespace longtake
