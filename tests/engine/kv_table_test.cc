// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_table.h"

#include <gtest/gtest.h>

#include "tests/golden/fixture.h"

namespace longtake {
namespace {

const KvLayout kLayout = {.layers = 2, .rows = 4, .width = 8, .dtype = DType::kF32};
constexpr uint64_t kFrames = 3;
const KvOwner kPrompt = {.session = 7, .branch = 0};
const KvOwner kNegative = {.session = 7, .branch = 1};

class KvTableTest : public testing::Test {
 protected:
  KvTableTest() : pool_(Must(KvPool::Create(1 << 20, 1 << 10))) { Open(kPrompt.session); }

  void Open(uint64_t session) {
    table_.Open(session,
                Must(KvShare::Create(KvMemory(*pool_), kLayout, {.held = kFrames, .read = 2})));
  }

  std::unique_ptr<KvPool> pool_;  // outlives the table
  KvTable table_;
};

TEST_F(KvTableTest, AFrameIsFoundOnceItIsHeld) {
  EXPECT_EQ(table_.Find(kPrompt, 5), nullptr);
  const KvFrame* written = table_.ToWrite(kPrompt, 5);
  ASSERT_NE(written, nullptr);
  EXPECT_EQ(table_.Find(kPrompt, 5), nullptr) << "nothing that is still being written is read";
  EXPECT_EQ(table_.ToWrite(kPrompt, 5), written) << "a dropped sweep writes the same again";
  table_.Hold(kPrompt, {5});
  EXPECT_EQ(table_.Find(kPrompt, 5), written);
  EXPECT_EQ(table_.ToWrite(kPrompt, 5), nullptr) << "what is held is not overwritten";
}

TEST_F(KvTableTest, AFrameThatIsMadeAgainIsAnother) {
  table_.ToWrite(kPrompt, 5);
  table_.Hold(kPrompt, {5});
  const uint64_t first = table_.Serial(kPrompt, 5);
  table_.ToWrite(kPrompt, 6);
  table_.Hold(kPrompt, {5, 6});
  EXPECT_EQ(table_.Serial(kPrompt, 5), first) << "still held";
  EXPECT_NE(table_.Serial(kPrompt, 6), first);
  table_.Hold(kPrompt, {6});
  table_.ToWrite(kPrompt, 5);
  table_.Hold(kPrompt, {5, 6});
  EXPECT_NE(table_.Serial(kPrompt, 5), first);
}

TEST_F(KvTableTest, WhatIsNoLongerHeldMakesRoom) {
  for (int64_t round = 0; round < 10; ++round) {  // in the room of three frames
    for (int64_t i = 0; i < 3; ++i) ASSERT_NE(table_.ToWrite(kPrompt, 3 * round + i), nullptr);
    table_.Hold(kPrompt, {3 * round});
    table_.Hold(kPrompt, {});
  }
  EXPECT_EQ(table_.Find(kPrompt, 27), nullptr);
}

TEST_F(KvTableTest, BranchesAndSessionsHaveTheirOwnFrames) {
  Open(8);
  const KvFrame* prompt = table_.ToWrite(kPrompt, 0);
  const KvFrame* negative = table_.ToWrite(kNegative, 0);
  const KvFrame* other = table_.ToWrite({.session = 8}, 0);
  EXPECT_NE(prompt, negative);
  EXPECT_NE(prompt, other);
  table_.Hold(kPrompt, {0});
  EXPECT_EQ(table_.Find(kNegative, 0), nullptr);
  table_.Hold(kNegative, {0});
  table_.Hold(kPrompt, {});
  EXPECT_EQ(table_.Find(kNegative, 0), negative);
}

TEST_F(KvTableTest, ASessionGoesWithAllItsFrames) {
  const uint64_t reserved = pool_->page_count() - pool_->free_page_count();
  EXPECT_EQ(reserved, kFrames * Must(pool_->PagesPerFrame(kLayout)));
  table_.ToWrite(kPrompt, 0);
  table_.Hold(kPrompt, {0});
  table_.ToWrite(kPrompt, 1);
  table_.Close(kPrompt.session);
  EXPECT_FALSE(table_.IsOpen(kPrompt.session));
  EXPECT_EQ(pool_->free_page_count(), pool_->page_count());
  Open(kPrompt.session);
  EXPECT_EQ(table_.Find(kPrompt, 0), nullptr);
}

}  // namespace
}  // namespace longtake
