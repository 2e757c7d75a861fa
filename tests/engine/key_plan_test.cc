// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/policy/key_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/video/rolling_rollout.h"

namespace longtake {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> SourceFrames(const KeyPlan& plan) {
  std::vector<int64_t> frames;
  for (const PlannedKey& key : plan.keys) frames.push_back(key.frame);
  return frames;
}

TEST(KeyPlanTest, AttendsToEverythingUntilTheWindowIsFull) {
  for (KeyPlanKind kind : {KeyPlanKind::kGlobal, KeyPlanKind::kWindow, KeyPlanKind::kSlotWindow,
                           KeyPlanKind::kRollingSink}) {
    const KeyPlan plan = PlanKeys({kind, 21, 0}, 6, 3);
    EXPECT_THAT(SourceFrames(plan), ElementsAre(0, 1, 2, 3, 4, 5));
    EXPECT_THAT(plan.query_index, ElementsAre(6, 7, 8));
    for (const PlannedKey& key : plan.keys) EXPECT_EQ(key.frame, key.rope_index);
  }
}

TEST(KeyPlanTest, WindowKeepsItsSinkAndTheLatest) {
  EXPECT_THAT(SourceFrames(PlanKeys({KeyPlanKind::kWindow, 9, 0}, 12, 3)),
              ElementsAre(6, 7, 8, 9, 10, 11));
  EXPECT_THAT(SourceFrames(PlanKeys({KeyPlanKind::kWindow, 12, 3}, 30, 3)),
              ElementsAre(0, 1, 2, 24, 25, 26, 27, 28, 29));
}

// LongLive "infinity": the sources of the window, seen at positions 0..W-1 whatever the time.
TEST(KeyPlanTest, SlotWindowSeesTheWindowsFramesAtTheirPositions) {
  const KeyPlanSpec slots{KeyPlanKind::kSlotWindow, 12, 3};
  for (int64_t start = 0; start < 30000; start += 3) {
    const KeyPlan plan = PlanKeys(slots, start, 3);
    const KeyPlan window = PlanKeys({KeyPlanKind::kWindow, 12, 3}, start, 3);
    ASSERT_EQ(SourceFrames(plan), SourceFrames(window));
    const auto context = static_cast<int64_t>(plan.keys.size());
    for (int64_t i = 0; i < context; ++i) ASSERT_EQ(plan.keys[i].rope_index, i);
    ASSERT_THAT(plan.query_index, ElementsAre(context, context + 1, context + 2));
    if (start <= 9) {
      ASSERT_EQ(plan.keys, window.keys);
    }
  }
}

// The worked example of spec 3.6.
TEST(KeyPlanTest, RollingSinkScrollsItsHistoryForthAndBack) {
  const KeyPlan plan = PlanKeys({KeyPlanKind::kRollingSink, 21, 0}, 24, 3);
  ASSERT_EQ(plan.keys.size(), 18u);
  for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(plan.keys[i], (PlannedKey{6 + i, 6 + i}));
  EXPECT_EQ(plan.keys[12], (PlannedKey{17, 18}));
  EXPECT_EQ(plan.keys[13], (PlannedKey{16, 19}));
  EXPECT_EQ(plan.keys[14], (PlannedKey{15, 20}));
  for (int64_t i = 15; i < 18; ++i) EXPECT_EQ(plan.keys[i], (PlannedKey{6 + i, 6 + i}));
}

TEST(KeyPlanTest, RollingSinkSeesAWholeWindowOfContiguousIndicesForHours) {
  const KeyPlanSpec spec{KeyPlanKind::kRollingSink, 21, 0};
  for (int64_t start = 21; start < 30000; start += 3) {
    const KeyPlan plan = PlanKeys(spec, start, 3);
    ASSERT_EQ(plan.keys.size(), 18u);
    for (int64_t i = 0; i < 18; ++i) ASSERT_EQ(plan.keys[i].rope_index, start - 18 + i);
  }
}

// The history repeats after 2 * (W - n) frames, which is 12 chunks here.
// Twelve blocks on, the history is the same again, frame by frame and at the same distances: for
// two hours of video, where the published tables of 8192 places end after 34 minutes. No shorter
// step has that property.
TEST(KeyPlanTest, RollingSinkIsPeriodic) {
  const KeyPlanSpec spec{KeyPlanKind::kRollingSink, 21, 0};
  const auto history = [&](int64_t start) {
    std::vector<std::pair<int64_t, int64_t>> out;
    const KeyPlan plan = PlanKeys(spec, start, 3);
    for (size_t i = 0; i < 15; ++i) {
      out.emplace_back(plan.keys[i].frame, plan.keys[i].rope_index - start);
    }
    return out;
  };
  for (int64_t start = 21; start < 30000; start += 3) {
    ASSERT_EQ(history(start), history(start + 36));
  }
  for (int64_t blocks = 1; blocks < 12; ++blocks) {
    bool same = true;
    for (int64_t start = 21; start < 60; start += 3) {
      same = same && history(start) == history(start + 3 * blocks);
    }
    EXPECT_FALSE(same) << blocks;
  }
}

TEST(KeyPlanTest, ARecacheRunsTheWindowAndKeepsOrMovesTheSink) {
  const KeyPlanSpec spec{KeyPlanKind::kWindow, 9, 3};
  // Not full yet: everything is made again.
  for (bool keep_sink : {true, false}) {
    const RecachePlan early = PlanRecache(spec, 6, keep_sink);
    EXPECT_EQ(early.first, 0);
    EXPECT_TRUE(early.plan.keys.empty());
    EXPECT_EQ(early.plan.query_index.size(), 6u);
    EXPECT_EQ(early.sink_start_new, 0);
  }
  const RecachePlan kept = PlanRecache(spec, 18, true);
  EXPECT_THAT(SourceFrames(kept.plan), ElementsAre(0, 1, 2));
  EXPECT_THAT(kept.plan.query_index, ElementsAre(12, 13, 14, 15, 16, 17));
  EXPECT_EQ(kept.first, 12);
  EXPECT_EQ(kept.sink_start_new, 0);

  const RecachePlan moved = PlanRecache(spec, 18, false);
  EXPECT_TRUE(moved.plan.keys.empty());
  EXPECT_EQ(moved.first, 9);
  EXPECT_EQ(moved.sink_start_new, 9);
  KeyPlanSpec after = spec;
  after.sink_start = moved.sink_start_new;
  EXPECT_THAT(SourceFrames(PlanKeys(after, 18, 3)), ElementsAre(9, 10, 11, 15, 16, 17));
  EXPECT_THAT(SourceFrames(PlanKeys(after, 30, 3)), ElementsAre(9, 10, 11, 27, 28, 29));
  EXPECT_FALSE(FrameNeeded(after, 0, 18, 3));

  const RecachePlan slots = PlanRecache({KeyPlanKind::kSlotWindow, 9, 3}, 18, true);
  EXPECT_THAT(slots.plan.query_index, ElementsAre(3, 4, 5, 6, 7, 8));
}

// Spec 3.7, five chunks of three frames in work, anchor and window of 21.
TEST(KeyPlanTest, ARollingRolloutSeesItsAnchorRightBeforeTheLatestFrames) {
  const KeyPlanSpec spec{KeyPlanKind::kWindow, 21, 3};
  EXPECT_TRUE(PlanRolling(spec, 0, 9).keys.empty());
  const KeyPlan second = PlanRolling(spec, 3, 15);  // the anchor is all that was settled
  EXPECT_THAT(second.keys, ElementsAre(PlannedKey{0, 0}, PlannedKey{1, 1}, PlannedKey{2, 2}));
  const KeyPlan full = PlanRolling(spec, 30, 15);
  EXPECT_THAT(full.keys, ElementsAre(PlannedKey{0, 24}, PlannedKey{1, 25}, PlannedKey{2, 26},
                                     PlannedKey{27, 27}, PlannedKey{28, 28}, PlannedKey{29, 29}));
  EXPECT_EQ(PlanRolling(spec, 30, 6).keys.size(), 15u) << "a partial window sees more of the past";
}

// What eviction keeps must cover every later plan, and never exceed what was reserved.
TEST(KeyPlanTest, EvictionKeepsWhatLaterPlansRead) {
  const KeyPlanSpec specs[] = {
      {KeyPlanKind::kWindow, 21, 0},      {KeyPlanKind::kWindow, 12, 3},
      {KeyPlanKind::kWindow, 10, 4},      {KeyPlanKind::kSlotWindow, 12, 3},
      {KeyPlanKind::kRollingSink, 21, 0}, {KeyPlanKind::kRollingSink, 9, 0}};
  for (const KeyPlanSpec& spec : specs) {
    std::set<int64_t> held;
    for (int64_t start = 0; start < 600; start += 3) {
      for (const PlannedKey& key : PlanKeys(spec, start, 3).keys) {
        ASSERT_TRUE(held.contains(key.frame)) << "frame " << key.frame << " at " << start;
      }
      for (int64_t frame = start; frame < start + 3; ++frame) held.insert(frame);
      ASSERT_LE(static_cast<int64_t>(held.size()), FramesHeldMax(spec, 3)) << "at " << start;
      std::erase_if(held, [&](int64_t frame) { return !FrameNeeded(spec, frame, start + 3, 3); });
    }
  }
}

TEST(KeyPlanTest, RefusesWindowsThatCannotWork) {
  EXPECT_FALSE(ValidateKeyPlan({KeyPlanKind::kWindow, 5, 3}, 3).ok());
  EXPECT_FALSE(ValidateKeyPlan({KeyPlanKind::kGlobal, 21, 3}, 3).ok());
  EXPECT_FALSE(ValidateKeyPlan({KeyPlanKind::kRollingSink, 20, 0}, 3).ok());
  EXPECT_TRUE(ValidateKeyPlan({KeyPlanKind::kWindow, 6, 3}, 3).ok());
  for (int64_t hostile : {int64_t{-1}, int64_t{-1000}, int64_t{INT32_MIN}, int64_t{INT32_MAX}}) {
    for (KeyPlanKind kind : {KeyPlanKind::kGlobal, KeyPlanKind::kWindow, KeyPlanKind::kSlotWindow,
                             KeyPlanKind::kRollingSink}) {
      EXPECT_FALSE(ValidateKeyPlan({kind, 1, hostile}, 3).ok()) << hostile;
      EXPECT_FALSE(ValidateKeyPlan({kind, hostile, 0}, 3).ok()) << hostile;
    }
  }
  EXPECT_FALSE(ValidateKeyPlan({KeyPlanKind::kWindow, 0, -3}, 3).ok());
  EXPECT_FALSE(ParseKeyPlanKind("ring").ok());
  EXPECT_EQ(*ParseKeyPlanKind("slot_window"), KeyPlanKind::kSlotWindow);
}

}  // namespace
}  // namespace longtake
