// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A session that takes too much forgets its oldest latents, and nothing that anybody needs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/store/session_store.h"

namespace longtake {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
namespace fs = std::filesystem;

constexpr int64_t kLatentBytes = 480;

Latents SomeLatents(int64_t chunk) {
  Latents latents(2, {.frames = 3, .height = 4, .width = 5});
  float value = static_cast<float>(1000 * chunk);
  for (float& out : latents.values()) out = value++;
  return latents;
}

class ForgettingTest : public testing::Test {
 protected:
  ForgettingTest() {
    std::string name = (fs::temp_directory_path() / "longtake-forgetting-XXXXXX").string();
    LT_CHECK(mkdtemp(name.data()) != nullptr);
    directory_ = name;
    Open();
    Create("a");
  }
  ~ForgettingTest() override {
    store_ = nullptr;
    fs::remove_all(directory_);
  }
  void Open() {
    store_ = nullptr;
    auto store = SessionStore::Open(
        {.files = &PosixFileSystem(),
         .directory = directory_,
         .holder = "the test",
         .retention_nanos = INT64_MAX / 4,  // Scrub takes days
         .history_bytes_max = history_bytes_max_,
         .latent_row_bytes_max = row_bytes_max_,
         .scrub_bytes_per_second = uint64_t{1} << 30,
         .on_damage = [this](const std::string& id,
                             const std::string& damage) { told_.push_back(id + ": " + damage); }},
        clock_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void WriteAll() {
    while (store_->Step()) {
    }
  }
  void Create(const std::string& id) {
    ASSERT_TRUE(store_->Create(SessionKey{id}, {}).ok());
    store_->PutStart(SessionKey{id}, SomeLatents(-1));
    WriteAll();
  }
  void Append(const std::string& id, int64_t first, int64_t end) {
    for (int64_t chunk = first; chunk < end; ++chunk) {
      store_->PutChunk(SessionKey{id}, chunk, SomeLatents(chunk));
      store_->Put(SessionKey{id}, ChunkDecoded{.chunk = chunk, .end_frame = 12 * (chunk + 1)});
    }
    WriteAll();
  }
  void PutSnapshot(const SessionKey& key, int64_t chunk, const NeededChunks& needed,
                   int64_t before_delta = 1) {
    NewSnapshot made = {
        .snapshot = {.point = {.chunk = chunk,
                               .before = RefOf(SomeLatents(chunk - before_delta)).hash},
                     .rollout = {.chunk = chunk, .unwritten = {SomeLatents(chunk)}, .frames = {}},
                     .prompts = {.branches = {{1}}, .old = {}}},
        .needed = needed};
    bool kept = false;
    store_->PutSnapshot(key, std::move(made),
                        [&](const SnapshotPlaces* places) { kept = places != nullptr; });
    WriteAll();
    EXPECT_TRUE(kept);
  }
  SessionRow Row(const std::string& id) const {
    for (const SessionRow& row : store_->Sessions()) {
      if (row.id == id) return row;
    }
    return {};
  }
  std::vector<int64_t> Snapshots(const std::string& id) {
    std::vector<int64_t> chunks;
    const auto found = store_->LoadSnapshots(id);
    for (const SnapshotRow& row : found->rows) chunks.push_back(row.chunk);
    return chunks;
  }
  // Whether it has these chunks as they were made, and the start; and what it says of the others.
  void ExpectChunks(const std::string& id, int64_t first, int64_t end) {
    const auto session = store_->Load(id);
    ASSERT_TRUE(session.ok()) << session.status();
    EXPECT_EQ(session->first_kept, first);
    ASSERT_EQ(std::ssize(session->settled), end);
    EXPECT_EQ(std::ssize(session->decoded), end);
    for (int64_t chunk = 0; chunk < end; ++chunk) {
      const StoredLatents& stored = session->settled[static_cast<size_t>(chunk)];
      EXPECT_EQ(stored == StoredLatents(), chunk < first) << chunk;
      if (chunk < first) continue;
      const auto latents = store_->LoadLatents(stored);
      ASSERT_TRUE(latents.ok()) << latents.status();
      ASSERT_EQ(*latents, SomeLatents(chunk));
    }
    EXPECT_EQ(*store_->LoadLatents(*session->start), SomeLatents(-1));
  }
  void Scrub() {
    for (const uint64_t passes = store_->stats().scrub.passes;
         store_->stats().scrub.passes == passes;) {
      WriteAll();
      clock_.Advance(3600LL * 1'000'000'000);
    }
  }
  // Of which chunks there are latents of this session, by its number, whoever it is kept for.
  std::vector<int64_t> KeptOf(int64_t number) {
    const std::string copy = directory_ + "/copy.db";  // the store's is locked
    for (const char* suffix : {"", "-wal"}) {
      fs::copy_file(directory_ + "/sessions-1.db" + suffix, copy + suffix,
                    fs::copy_options::overwrite_existing);
    }
    const auto database = Database::Open({.path = copy});
    LT_CHECK(database.ok());
    auto rows = (*database)->Prepare(absl::StrCat(
        "SELECT kind, body FROM records WHERE session=", number,
        " AND number IN (SELECT record FROM latents WHERE session=", number,
        " UNION ALL SELECT record FROM latent_places WHERE session=", number, ") ORDER BY number"));
    LT_CHECK(rows.ok());
    std::vector<int64_t> chunks;
    while (*rows->Step()) {
      const std::span<const std::byte> body = rows->Blob(1);
      const auto record =
          DecodeRecord(rows->Int(0), {reinterpret_cast<const char*>(body.data()), body.size()});
      const auto* settled = std::get_if<ChunkSettled>(&*record);
      if (settled != nullptr) chunks.push_back(settled->chunk);
    }
    return chunks;
  }
  std::set<std::string> LatentFiles() const { return store_->bulk().Names(BulkUse::kLatents); }

  std::string directory_;
  uint64_t history_bytes_max_ = 4000;
  uint64_t row_bytes_max_ = kLatentBytes;
  ManualClock clock_;
  std::vector<std::string> told_;  // of damage
  std::unique_ptr<SessionStore> store_;
};

TEST_F(ForgettingTest, TheOlderHalfGoesWithASnapshot) {
  Append("a", 0, 20);
  const int64_t bytes = Row("a").bytes;
  const uint64_t all_bytes = store_->stats().bytes;
  PutSnapshot({"a"}, 20, {.from = 20, .warm_up = 2});
  EXPECT_EQ(Row("a").base, 20);
  ExpectChunks("a", 10, 20);
  EXPECT_LT(Row("a").bytes, bytes - 10 * kLatentBytes + 100);
  EXPECT_EQ(store_->stats().bytes - store_->bulk().bytes(),
            all_bytes - static_cast<uint64_t>(bytes - Row("a").bytes));
  EXPECT_EQ(store_->stats().forgotten, 10);
  Open();
  ExpectChunks("a", 10, 20);
  // And so it goes on.
  Append("a", 20, 40);
  PutSnapshot({"a"}, 40, {.from = 40, .warm_up = 2});
  EXPECT_EQ(Row("a").base, 40);
  ExpectChunks("a", 25, 40);
  Scrub();
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(ForgettingTest, NothingThatIsNeededGoes) {
  Append("a", 0, 20);
  PutSnapshot({"a"}, 20, {.from = 5, .warm_up = 2});  // its reader is slow
  ExpectChunks("a", 3, 20);
  PutSnapshot({"a"}, 20, {.from = 1, .warm_up = 2});
  ExpectChunks("a", 3, 20);
  // What is not decoded needs those before it.
  store_->PutChunk(SessionKey{"a"}, 20, SomeLatents(20));
  store_->Put(SessionKey{"a"}, NumericsChanged{.numerics_profile = "b", .chunk = 8});
  PutSnapshot({"a"}, 21, {.from = 20, .warm_up = 2});
  EXPECT_EQ(Row("a").first_kept, 6);
}

// The older of two, where that is enough: one more is left should the newer be damaged.
TEST_F(ForgettingTest, HistoryBeginsWithTheOldestSnapshotThatIsEnough) {
  history_bytes_max_ = UINT64_MAX;
  Open();
  Append("a", 0, 20);
  PutSnapshot({"a"}, 12, {.from = 20});
  PutSnapshot({"a"}, 15, {.from = 20});
  EXPECT_EQ(Row("a").base, 0);
  history_bytes_max_ = 4000;
  Open();
  PutSnapshot({"a"}, 20, {.from = 20});
  EXPECT_EQ(Row("a").base, 15);
  EXPECT_THAT(Snapshots("a"), ElementsAre(20, 15));
  ExpectChunks("a", 10, 20);
}

// It is of another past: with it the session could not go on.
TEST_F(ForgettingTest, ASnapshotThatIsOfNoUseIsNoBeginning) {
  Append("a", 0, 20);
  PutSnapshot({"a"}, 20, {.from = 20}, /*before_delta=*/2);
  EXPECT_EQ(Row("a").base, 0);
  ExpectChunks("a", 0, 20);
}

TEST_F(ForgettingTest, WhatLiesBeforeIsRefusedByName) {
  Append("a", 0, 20);
  PutSnapshot({"a"}, 20, {.from = 20});
  const absl::Status rewound = store_->Rewind("a", 19);
  EXPECT_EQ(ReasonFor(rewound), Reason::kChunkNotHeld);
  EXPECT_EQ(ReasonOf(rewound)->metadata["base_chunk"], "20");
  EXPECT_EQ(ReasonFor(store_->Fork("a", {.id = "b", .chunk = 19})), Reason::kChunkNotHeld);
  Append("a", 20, 24);
  EXPECT_TRUE(store_->Fork("a", {.id = "b", .chunk = 22}).ok());
  EXPECT_TRUE(store_->Rewind("a", 21).ok());
  ExpectChunks("b", 10, 22);
  ExpectChunks("a", 10, 21);
}

// What only shows needs no snapshot.
TEST_F(ForgettingTest, OneThatHasEndedBeginsWithWhatIsKept) {
  Append("a", 0, 20);
  PutSnapshot({"a"}, 20, {.from = 20});
  const absl::Status early = store_->Fork("a", {.id = "b", .chunk = 9, .ended = true});
  EXPECT_EQ(ReasonFor(early), Reason::kChunkNotHeld);
  EXPECT_EQ(ReasonOf(early)->metadata["oldest_chunk"], "10");
  ASSERT_TRUE(store_->Fork("a", {.id = "b", .chunk = 15, .ended = true}).ok());
  ASSERT_TRUE(store_->Fork("b", {.id = "c", .chunk = 12, .ended = true}).ok());
  Open();
  Scrub();
  EXPECT_THAT(told_, IsEmpty());
  ExpectChunks("b", 10, 15);
  ExpectChunks("c", 10, 12);
  for (const int64_t chunk : {12, 15, 20}) {  // and never goes on
    EXPECT_EQ(ReasonFor(store_->Rewind("b", chunk)), Reason::kChunkNotHeld);
    EXPECT_EQ(ReasonFor(store_->Fork("b", {.id = "d", .chunk = chunk})), Reason::kChunkNotHeld);
  }
}

TEST_F(ForgettingTest, AForkKeepsWhatItWasMadeOf) {
  Append("a", 0, 10);
  ASSERT_TRUE(store_->Fork("a", {.id = "b", .chunk = 8}).ok());
  const uint64_t bytes = store_->stats().bytes;
  PutSnapshot({"a"}, 10, {.from = 10});
  ExpectChunks("a", 9, 10);
  ExpectChunks("b", 0, 8);
  Append("a", 10, 20);
  PutSnapshot({"a"}, 20, {.from = 20});
  ExpectChunks("a", 15, 20);
  ExpectChunks("b", 0, 8);
  Scrub();
  EXPECT_THAT(told_, IsEmpty());
  // When it has gone, all goes that it kept.
  ASSERT_TRUE(store_->Delete("b").ok());
  PutSnapshot({"a"}, 20, {.from = 20});
  ExpectChunks("a", 18, 20);
  EXPECT_LT(Row("a").bytes, static_cast<int64_t>(bytes) - 6 * kLatentBytes);
  // A fork forgets what is its own.
  ASSERT_TRUE(store_->Fork("a", {.id = "c", .chunk = 20}).ok());
  Append("c", 20, 40);
  PutSnapshot({"c"}, 40, {.from = 40});
  ExpectChunks("c", 30, 40);
  ExpectChunks("a", 18, 20);
}

// Of one that is gone, what they do not read goes: what it made after them, and what they have
// forgotten.
TEST_F(ForgettingTest, AForkKeepsNoMoreThanItReads) {
  Append("a", 0, 12);
  ASSERT_TRUE(store_->Fork("a", {.id = "b", .chunk = 8}).ok());
  ASSERT_TRUE(store_->Fork("a", {.id = "c", .chunk = 4}).ok());
  ASSERT_TRUE(store_->Fork("b", {.id = "d", .chunk = 6}).ok());
  const uint64_t bytes = store_->stats().bytes;
  ASSERT_TRUE(store_->Delete("a").ok());
  WriteAll();
  EXPECT_THAT(KeptOf(1), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(store_->stats().bytes, bytes - 4 * kLatentBytes);
  ASSERT_TRUE(store_->Delete("b").ok());
  WriteAll();
  EXPECT_THAT(KeptOf(1), ElementsAre(0, 1, 2, 3, 4, 5));
  // The fork of a fork forgets; the other one does not.
  Append("d", 6, 20);
  PutSnapshot({"d"}, 20, {.from = 20});
  ExpectChunks("d", 13, 20);
  EXPECT_THAT(KeptOf(1), ElementsAre(0, 1, 2, 3));
  ExpectChunks("c", 0, 4);
  ASSERT_TRUE(store_->Delete("c").ok());
  WriteAll();
  EXPECT_THAT(KeptOf(1), IsEmpty());
  Scrub();
  Open();
  Scrub();
  EXPECT_THAT(told_, IsEmpty());
  ExpectChunks("d", 13, 20);
}

// As much in one commit as others can wait for; and whoever ends meanwhile goes on with it.
TEST_F(ForgettingTest, WhatNobodyReadsGoesAfterACrashToo) {
  Append("a", 0, 1200);
  ASSERT_TRUE(store_->Fork("a", {.id = "b", .chunk = 1}).ok());
  ASSERT_TRUE(store_->Delete("a").ok());  // and nothing else is done
  Open();
  int64_t least = 0;
  for (std::vector<int64_t> kept = KeptOf(1); store_->Step();) {
    const std::vector<int64_t> now = KeptOf(1);
    EXPECT_LE(kept.size() - now.size(), 1024u);
    if (now.size() != kept.size()) ++least;
    kept = now;
  }
  EXPECT_GE(least, 2);
  EXPECT_THAT(KeptOf(1), ElementsAre(0));
  ExpectChunks("b", 0, 1);
}

// Nothing goes on from it, so it has no snapshot any more.
TEST_F(ForgettingTest, OneThatOnlyItsForksKeepIsNoDamage) {
  Append("a", 0, 20);
  PutSnapshot({"a"}, 20, {.from = 20});
  ASSERT_EQ(Row("a").base, 20);
  Append("a", 20, 24);
  ASSERT_TRUE(store_->Fork("a", {.id = "b", .chunk = 22}).ok());
  ASSERT_TRUE(store_->Delete("a").ok());
  Scrub();
  Open();
  Scrub();
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_THAT(store_->stats().damaged, IsEmpty());
  ExpectChunks("b", 10, 22);
}

// Files of which some latents are left stay.
TEST_F(ForgettingTest, FilesGoWithTheLastOfTheirLatents) {
  row_bytes_max_ = 0;
  Open();
  Append("a", 0, 100);
  ASSERT_EQ(LatentFiles().size(), 2u);
  const std::string latest = *LatentFiles().rbegin();
  PutSnapshot({"a"}, 100, {.from = 100});
  ExpectChunks("a", 50, 100);
  EXPECT_EQ(LatentFiles().size(), 2u);
  PutSnapshot({"a"}, 100, {.from = 100});
  ExpectChunks("a", 75, 100);
  EXPECT_THAT(LatentFiles(), ElementsAre(latest));
  EXPECT_TRUE(fs::exists(directory_ + "/bulk/" + latest));
  EXPECT_FALSE(fs::exists(directory_ + "/bulk/1-1"));
  Append("a", 100, 102);
  Open();
  ExpectChunks("a", 75, 102);
  // Of one that is gone as well.
  ASSERT_TRUE(store_->Fork("a", {.id = "b", .chunk = 100}).ok());
  Append("b", 100, 140);
  ASSERT_TRUE(store_->Delete("a").ok());
  PutSnapshot({"b"}, 140, {.from = 140});
  PutSnapshot({"b"}, 140, {.from = 140});
  EXPECT_GT(Row("b").first_kept, 100);
  EXPECT_FALSE(fs::exists(directory_ + "/bulk/" + latest));
  Scrub();
  EXPECT_THAT(told_, IsEmpty());
}

// What was rewound takes room, too.
TEST_F(ForgettingTest, ChunksThatWereMadeTwiceGoTwice) {
  Append("a", 0, 20);
  ASSERT_TRUE(store_->Rewind("a", 4).ok());
  Append("a", 4, 20);
  const int64_t bytes = Row("a").bytes;
  PutSnapshot({"a"}, 20, {.from = 20});
  ExpectChunks("a", 10, 20);
  EXPECT_LT(Row("a").bytes, bytes - 16 * kLatentBytes + 100);
  Scrub();
  EXPECT_THAT(told_, IsEmpty());
}

// Somebody may have come back for what that life needed no more.
TEST_F(ForgettingTest, ALifeThatIsOverForgetsNothing) {
  Append("a", 0, 20);
  store_->BeginLife({.id = "a", .life = 2});
  PutSnapshot({.id = "a", .life = 1}, 20, {.from = 20});
  ExpectChunks("a", 0, 20);
  PutSnapshot({.id = "a", .life = 2}, 20, {.from = 20});
  ExpectChunks("a", 10, 20);
}

TEST_F(ForgettingTest, ARecordThatDoesNotFitIsDamage) {
  Append("a", 0, 20);
  StoredSession session = *store_->Load("a");
  const auto add = [&](int64_t base, int64_t first) {
    StoredSession now = session;
    return now.Add(1, 99, HistoryForgotten{.base = base, .first = first});
  };
  EXPECT_TRUE(add(20, 20).ok());
  for (const auto& [base, first] :
       std::initializer_list<std::pair<int64_t, int64_t>>{{21, 1}, {10, 11}, {10, -1}, {-1, 0}}) {
    EXPECT_EQ(ReasonFor(add(base, first)), Reason::kSessionCorrupt) << base << " " << first;
  }
  session.decoded.resize(5);
  EXPECT_FALSE(add(20, 6).ok());
  ASSERT_TRUE(session.Add(1, 99, HistoryForgotten{.base = 5, .first = 4}).ok());
  EXPECT_FALSE(add(4, 4).ok());
  EXPECT_FALSE(add(6, 3).ok());
}

}  // namespace
}  // namespace longtake
