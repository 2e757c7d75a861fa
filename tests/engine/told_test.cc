// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A disk that lost something without a trace is found out by a client who knows what was there.
#include <filesystem>

#include "base/error_reason.h"
#include "tests/engine/resume_fixture.h"

namespace longtake {
namespace {

using testing::HasSubstr;

class ToldTest : public ResumeTest {
 protected:
  absl::Status Wake(int64_t next_chunk, int64_t durable_through, int64_t epoch = 0) {
    return engine_
        ->Wake("one", next_chunk, {}, Told{.durable_through = durable_through, .epoch = epoch})
        .status();
  }
  static void ExpectLost(const absl::Status& status, int64_t told, int64_t there) {
    ASSERT_EQ(ReasonFor(status), Reason::kHistoryLost) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat(told, " chunks were said")));
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("there are ", there)));
    auto metadata = ReasonOf(status)->metadata;
    EXPECT_EQ(metadata["told"], absl::StrCat(told));
    EXPECT_EQ(metadata["durable_through"], absl::StrCat(there));
  }
};

TEST_F(ToldTest, AStoreThatWasPutBackIsFoundOut) {
  Create(Endless(), "one");
  ReadSome("one", 0, 2);
  ASSERT_TRUE(engine_->Park("one").ok());
  RunUntilIdle();
  store_->Stop();
  engine_.Stop();
  const std::string state = scratch_.directory() + "/state";
  const int64_t early = store_->Describe("one")->row.decoded;
  store_ = nullptr;
  std::filesystem::copy(state, state + "-early", std::filesystem::copy_options::recursive);
  Begin();
  ReadSome("one", 2, 8);
  const int64_t told = (*engine_->FindSession("one"))->durable_through();
  ASSERT_GT(told, early);
  store_->Stop();
  engine_.Stop();
  store_ = nullptr;
  std::filesystem::remove_all(state);
  std::filesystem::rename(state + "-early", state);
  Begin();
  ExpectLost(Wake(-1, told), told, early);
  ExpectLost(Wake(told, told), told, early);
  EXPECT_EQ(ReasonFor(engine_->FindSession("one").status()), Reason::kSessionNotFound);
  EXPECT_TRUE(Wake(-1, early).ok());
}

TEST_F(ToldTest, OneThatLivesStaysWithItsReader) {
  const auto session = Create(Endless(), "one");
  const uint64_t reader = *session->Attach(-1, nullptr);
  RunUntilIdle();
  const int64_t there = session->durable_through();
  ASSERT_GT(there, 0);
  ExpectLost(Wake(-1, there + 1), there + 1, there);
  // Nor does it leave memory for a chunk that only the store has.
  Received received;
  for (int i = 0; i < 1000 && session->Info().oldest_chunk_held == 0; ++i) {
    PollAll(*session, reader, &received);
    RunUntilIdle();
  }
  ASSERT_GT(session->Info().oldest_chunk_held, 0);
  const int64_t now = session->durable_through();
  ExpectLost(Wake(0, now + 1), now + 1, now);
  EXPECT_EQ(*engine_->FindSession("one"), session);
  EXPECT_TRUE(session->CheckReader(reader).ok());
  EXPECT_TRUE(Wake(-1, now).ok());
}

// What was told of it before it was rewound is of another video.
TEST_F(ToldTest, AnEarlierEpochIsNotCompared) {
  Create(Endless(), "one");
  ReadSome("one", 0, 4);
  ASSERT_TRUE(engine_->Rewind("one", 1).ok());
  RunUntilIdle();
  for (const char* where : {"on disk", "in memory"}) {
    EXPECT_TRUE(Wake(-1, 4, /*epoch=*/0).ok()) << where;
  }
  ASSERT_TRUE(engine_->Park("one").ok());
  RunUntilIdle();
  ExpectLost(Wake(-1, 1000, /*epoch=*/1), 1000, store_->Describe("one")->row.decoded);
  // A later one comes of no rewind that this store knows.
  const absl::Status later = Wake(-1, 1, /*epoch=*/2);
  EXPECT_EQ(ReasonFor(later), Reason::kHistoryLost) << later;
  EXPECT_THAT(std::string(later.message()), HasSubstr("in epoch 2, and is in 1"));
}

}  // namespace
}  // namespace longtake
