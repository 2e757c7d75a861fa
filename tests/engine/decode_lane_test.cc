// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Whose latents the decode lane works at, driven step by step on the test's thread.
#include "engine/serve/decode_lane.h"

#include <gtest/gtest.h>

#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

constexpr int64_t kLatents = 3;  // of a chunk

// A session whose chunks the test puts into the lane itself.
class Stream {
 public:
  Stream(TestEngine& engine, int64_t width, int64_t height) {
    SessionSpec spec = SmallSpec("a red circle", 1, 0);
    spec.width = width;
    spec.height = height;
    session_ = *engine.CreateSession(spec, "");
    reader_ = *session_->Attach(-1, nullptr);
  }

  void Put(DecodeLane& lane) {
    const ResolvedSpec& spec = session_->spec();
    const LatentGrid grid = LatentGrid::FromPixels(spec.width, spec.height).WithFrames(kLatents);
    const std::vector<float> values(static_cast<size_t>(16 * grid.volume()), 0.25f);
    lane.Put(
        {.session = session_, .state = state_, .chunk = put_++, .latents = {16, grid, values}});
  }

  // Chunks that came out so far.
  std::vector<int64_t> Chunks() {
    PollAll(*session_, reader_, &received_);
    std::vector<int64_t> indices;
    for (const auto& chunk : received_.chunks) indices.push_back(chunk->index);
    return indices;
  }

  Session& session() { return *session_; }
  DecodeState& state() { return *state_; }

 private:
  std::shared_ptr<Session> session_;
  std::shared_ptr<DecodeState> state_ = std::make_shared<DecodeState>();
  uint64_t reader_ = 0;
  int64_t put_ = 0;
  Received received_;
};

class DecodeLaneTest : public ::testing::Test {
 protected:
  void Step(int64_t count) {
    for (int64_t i = 0; i < count; ++i) ASSERT_TRUE(lane_.Step());
  }

  TestEngine engine_;
  WakeUp wake_up_;
  const TakeJournal journal_{nullptr};
  DecodeLane lane_{engine_.model().pixel_coder(), journal_, engine_.clock(), wake_up_, nullptr};
  Stream large_{engine_, 160, 96};
  Stream small_{engine_, 48, 32};
};

using Indices = std::vector<int64_t>;

TEST_F(DecodeLaneTest, ASmallChunkWaitsForOneLatentOfALargeOne) {
  large_.Put(lane_);
  Step(1);
  small_.Put(lane_);
  Step(kLatents);
  EXPECT_EQ(small_.Chunks(), Indices({0}));
  EXPECT_EQ(large_.Chunks(), Indices());
  Step(kLatents - 1);
  EXPECT_EQ(large_.Chunks(), Indices({0}));
  EXPECT_FALSE(lane_.Step());
}

// Ten times the pixels: ten small chunks for a large one, however many there are; for the first,
// as it is new, ten more.
TEST_F(DecodeLaneTest, ManySmallChunksDoNotKeepALargeOneWaiting) {
  for (int i = 0; i < 3; ++i) large_.Put(lane_);
  for (int i = 0; i < 50; ++i) small_.Put(lane_);
  for (size_t count = 1; count <= 3; ++count) {
    while (large_.Chunks().size() < count) Step(1);
    EXPECT_GE(small_.Chunks().size(), 10 * count);
    EXPECT_LE(small_.Chunks().size(), 10 * (count + 1));
  }
}

TEST_F(DecodeLaneTest, ChunksOfASessionStayInOrder) {
  for (int i = 0; i < 2; ++i) {
    small_.Put(lane_);
    large_.Put(lane_);
  }
  Step(4 * kLatents);
  EXPECT_EQ(small_.Chunks(), Indices({0, 1}));
  EXPECT_EQ(large_.Chunks(), Indices({0, 1}));
}

// Cutting into each other would make the first of them later and nobody earlier.
TEST_F(DecodeLaneTest, AChunkIsDoneBeforeOneOfEqualSizeBegins) {
  Stream other(engine_, 48, 32);
  small_.Put(lane_);
  other.Put(lane_);
  Step(kLatents);
  EXPECT_EQ(small_.Chunks(), Indices({0}));
  Step(kLatents);
  EXPECT_EQ(other.Chunks(), Indices({0}));
}

TEST_F(DecodeLaneTest, AChunkThatNobodyWaitsForIsDroppedFirst) {
  small_.Put(lane_);
  large_.Put(lane_);
  large_.session().Cancel(absl::CancelledError("deleted"));
  Step(1);
  EXPECT_EQ(large_.state().chunks_in_flight, 0);
  EXPECT_EQ(small_.state().chunks_in_flight, 1);
}

// The frames that a session begins with are encoded a latent at a time.
TEST_F(DecodeLaneTest, ASmallChunkWaitsForOneLatentOfALargeClip) {
  SessionSpec spec = SmallSpec("a red circle", 1, 0);
  spec.width = 160;
  spec.height = 96;
  spec.start_frames = 9;
  const auto session = *engine_.CreateSession(spec, "");
  lane_.PutStart(
      {.session = session,
       .frames = {.memory = {}, .rgb = std::vector<uint8_t>(session->spec().start_bytes())}});
  Step(1);
  small_.Put(lane_);
  Step(kLatents);
  EXPECT_EQ(small_.Chunks(), Indices({0}));
  EXPECT_TRUE(lane_.TakeStarts().empty());
  Step(2);
  EXPECT_EQ(lane_.TakeStarts().size(), 1u);
}

}  // namespace
}  // namespace longtake
