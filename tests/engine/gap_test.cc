// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions of which not everything could be written down, and whose history begins anew.
#include <filesystem>

#include "base/error_reason.h"
#include "tests/engine/resume_fixture.h"

namespace longtake {
namespace {

using testing::HasSubstr;

class GapTest : public ResumeTest {
 protected:
  GapTest() {
    waiting_bytes_max_ = 4 << 20;
    Begin();
  }
  // So much waits for the disk that the next chunk finds no room.
  void FillTheQueue() {
    ASSERT_TRUE(store_->Create(SessionKey{"filler"}, {}).ok());
    const std::string bytes((2 << 20) - 20'000, 'x');
    store_->RecordStart(SessionKey{"filler"}, 0, bytes, [](const absl::Status&, bool) {});
    for (int i = 0; i < 1000 && store_->stats().broken_off == 0; ++i) engine_->Step();
    ASSERT_EQ(store_->stats().broken_off, 1);
  }
  static SessionEvent Blue(int64_t frame) {
    return {.kind = EventKind::kPrompt, .prompt = "a blue square", .frame = frame};
  }
  // What would have been without a gap.
  std::vector<std::string> Whole(int64_t frame, size_t chunks) {
    const auto session = Create(Endless(), "whole");
    Submit(session, Blue(frame));
    std::vector<std::string> digests = ReadSome("whole", 0, chunks);
    EXPECT_TRUE(engine_->DeleteSession("whole").ok());
    return digests;
  }
  // One whose history began anew, read up to so many chunks.
  void MakeGap(size_t chunks) {
    const auto session = Create(Endless(), "one");
    ReadSome("one", 0, 3);
    FillTheQueue();
    EXPECT_FALSE(engine_->InfoOf(*session).durable);
    bool durable = true;
    engine_->Submit(session, Blue(kBlueFrame), {},
                    [&](const absl::StatusOr<EventAccepted>& answer) {
                      ASSERT_TRUE(answer.ok()) << answer.status();
                      durable = answer->durable;
                    });
    EXPECT_FALSE(durable);
    read_ = ReadSome("one", 3, chunks - 3);
    EXPECT_EQ(store_->stats().broken_off, 0);
    EXPECT_EQ(store_->stats().gap_bytes, 0u);
    EXPECT_TRUE(engine_->InfoOf(*session).durable);
    EXPECT_GE(session->durable_through(), static_cast<int64_t>(chunks) - 2);
  }
  int64_t BaseOf(const std::string& id) const {
    for (const SessionRow& row : store_->Sessions()) {
      if (row.id == id) return row.base;
    }
    return 0;
  }

  static constexpr int64_t kBlueFrame = 12 * 8 - 3;
  std::vector<std::string> read_;  // from chunk 3 on
};

TEST_F(GapTest, HistoryBeginsAnewWithASnapshot) {
  constexpr size_t kChunks = 32;
  const std::vector<std::string> all = Whole(kBlueFrame, kChunks + 4);
  MakeGap(kChunks);
  EXPECT_EQ(read_, std::vector<std::string>(all.begin() + 3, all.begin() + kChunks));
  for (const size_t next : {kChunks, kChunks - 3}) {
    Begin();
    EXPECT_EQ(ReadSome("one", static_cast<int64_t>(next), 4),
              std::vector<std::string>(all.begin() + static_cast<ptrdiff_t>(next),
                                       all.begin() + static_cast<ptrdiff_t>(next) + 4));
    EXPECT_GE(report_.snapshot, BaseOf("one"));
  }
  const auto stored = store_->Load("one");
  ASSERT_TRUE(stored.ok()) << stored.status();
  ASSERT_EQ(stored->events.size(), 1u);
  EXPECT_EQ(stored->events[0].applied_chunk, 8);
  EXPECT_GT(BaseOf("one"), 8);
}

TEST_F(GapTest, WhatLiesBeforeIsRefusedByName) {
  constexpr size_t kChunks = 32;
  MakeGap(kChunks);
  const auto is_refused = [](const absl::Status& status) {
    EXPECT_EQ(ReasonFor(status), Reason::kChunkNotHeld);
    EXPECT_THAT(std::string(status.message()), HasSubstr("is not kept"));
  };
  Begin();
  const int64_t base = BaseOf("one");
  const int64_t oldest = engine_->Describe("one")->oldest_chunk_held;
  EXPECT_GT(oldest, 0);
  EXPECT_LT(oldest, base);
  is_refused(engine_->Wake("one", oldest - 1).status());
  is_refused(engine_->Rewind("one", base - 1));
  is_refused(engine_->Fork("one", {.id = "early", .chunk = base - 1}).status());
  // In memory, it stays with its reader.
  const auto session = *engine_->Wake("one", kChunks);
  const uint64_t reader = *session->Attach(kChunks, nullptr);
  EXPECT_EQ(*engine_->Wake("one", oldest - 1), session);
  EXPECT_TRUE(session->CheckReader(reader).ok());
  const auto after = [&](int64_t chunk) { return From(read_, static_cast<size_t>(chunk) - 3); };
  // From there on it is a session like any other, and so are its forks.
  ASSERT_TRUE(engine_->Fork("one", {.id = "fork", .chunk = base}).ok());
  Begin();
  EXPECT_EQ(ReadSome("one", oldest, kChunks - static_cast<size_t>(oldest)), after(oldest));
  ASSERT_TRUE(engine_->DeleteSession("one").ok());
  const size_t left = kChunks - static_cast<size_t>(base);
  EXPECT_EQ(ReadSome("fork", base, left), after(base));
  ASSERT_TRUE(engine_->Rewind("fork", base).ok());
  EXPECT_EQ(ReadSome("fork", base, left), after(base));
}

// What waits for the disk may be there later.
TEST_F(GapTest, AChunkThatIsNotWrittenYetIsNotGone) {
  Create(Endless(), "one");
  ReadSome("one", 0, 3);
  FillTheQueue();
  const int64_t written = store_->Sessions()[0].chunks;
  ASSERT_EQ(store_->Sessions()[0].id, "one");
  const auto waits = [](const absl::Status& status) {
    EXPECT_EQ(ReasonFor(status), Reason::kStorageUnavailable) << status;
  };
  const int64_t chunk = written + 1000;
  waits(engine_->Fork("one", {.id = "fork", .chunk = chunk}).status());
  waits(engine_->ForeseeRewind("one", chunk).status());
  waits(engine_->Rewind("one", chunk));
  EXPECT_EQ(ReasonFor(engine_->Rewind("none", 0)), Reason::kSessionNotFound);
}

TEST_F(GapTest, TheSnapshotIsNeededAndStays) {
  resume_seconds_max_ = 0;  // many more
  Begin();
  MakeGap(32);
  ReadSome("one", 32, 6);
  const auto found = store_->LoadSnapshots("one");
  ASSERT_EQ(found->rows.size(), 3u);
  EXPECT_EQ(found->rows.back().chunk, BaseOf("one"));
  Begin(
      absl::StrCat("UPDATE snapshots SET body=zeroblob(length(body)) WHERE session="
                   "(SELECT number FROM sessions WHERE id='one')"));
  const absl::Status status = engine_->Wake("one", 32).status();
  EXPECT_EQ(ReasonFor(status), Reason::kSessionCorrupt);
  EXPECT_THAT(std::string(status.message()), HasSubstr("one"));
}

TEST_F(GapTest, ASnapshotThatCannotBeReadNowIsNoDamage) {
  MakeGap(32);
  Begin();
  const std::filesystem::path bulk = scratch_.directory() + "/state/bulk";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(bulk)) files.push_back(entry.path());
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) {  // opens, and cannot be read
    std::filesystem::rename(file, file.string() + "-away");
    std::filesystem::create_directory(file);
  }
  const absl::Status status = engine_->Wake("one", 32).status();
  EXPECT_EQ(ReasonFor(status), Reason::kStorageUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("session one: its history begins with"));
  for (const auto& file : files) {
    std::filesystem::remove(file);
    std::filesystem::rename(file.string() + "-away", file);
  }
  EXPECT_EQ(ReadSome("one", 30, 2), From(read_, 27));
}

// The snapshot has a prompt that holds from its chunk on, so nothing begins before that chunk.
TEST_F(GapTest, WhatHoldsFromTheFirstChunkOnCannotBeUndone) {
  const auto session = Create(Endless(), "one");
  ReadSome("one", 0, 3);
  FillTheQueue();
  for (int64_t chunk = 6; chunk < 30; ++chunk) {
    engine_->Submit(session, Blue(12 * chunk - 3), {},
                    [](const absl::StatusOr<EventAccepted>& answer) { ASSERT_TRUE(answer.ok()); });
  }
  ReadSome("one", 3, 29);
  ASSERT_EQ(store_->stats().broken_off, 0);
  Begin();
  const int64_t base = BaseOf("one");
  ASSERT_GE(base, 6);
  const auto is_refused = [&](const absl::Status& status) {
    ASSERT_EQ(ReasonFor(status), Reason::kChunkNotHeld) << status;
    EXPECT_EQ(ReasonOf(status)->metadata["base_chunk"], std::to_string(base + 1));
  };
  is_refused(engine_->Fork("one", {.id = "early", .chunk = base}).status());
  is_refused(engine_->ForeseeRewind("one", base).status());
  is_refused(engine_->Rewind("one", base));
  ASSERT_TRUE(engine_->Fork("one", {.id = "fork", .chunk = base + 1}).ok());
  EXPECT_EQ(ReadSome("fork", base + 1, 2).size(), 2u);
  ASSERT_TRUE(engine_->Rewind("one", base + 1).ok());
  EXPECT_EQ(ReadSome("one", base + 1, 2).size(), 2u);
}

// Until then it is as it was when the gap began.
TEST_F(GapTest, AKillBeforeThatLeavesWhatWasDurable) {
  Create(Endless(), "one");
  const std::vector<std::string> first = ReadSome("one", 0, 3);
  const int64_t before = store_->Sessions().back().chunks;
  FillTheQueue();
  for (int i = 0; i < 200; ++i) engine_->Step();
  Begin();
  EXPECT_EQ(store_->Sessions().front().chunks, before);
  EXPECT_EQ(ReadSome("one", 0, 3), first);
}

}  // namespace
}  // namespace longtake
