// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Snapshots on disk: whole or not at all, written once, gone when nobody names them.
#include "engine/store/stored_snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>

#include "engine/store/session_store.h"

namespace longtake {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

constexpr size_t kFrameBytes = 3000;

Latents SomeLatents(int64_t frames, float first) {
  Latents latents(2, {.frames = frames, .height = 4, .width = 5});
  for (float& value : latents.values()) value = first++;
  return latents;
}

std::vector<std::byte> Frame(int fill) {
  return std::vector<std::byte>(kFrameBytes, static_cast<std::byte>(fill));
}

Snapshot SomeSnapshot(int64_t chunk) {
  Snapshot snapshot = {
      .point = {.chunk = chunk,
                .events = 3,
                .last_event = 9,
                .changes = 1,
                .before = RefOf(SomeLatents(3, static_cast<float>(chunk - 1))).hash},
      .rollout = {.chunk = chunk,
                  .unwritten = {SomeLatents(3, 1), SomeLatents(3, 2)},
                  .old_text = true,
                  .frames = {{0, 7}, {7}},
                  .start = {SomeLatents(3, 3)},
                  .has_start = true,
                  .sink_start = 5,
                  .recache = true,
                  .recent = {SomeLatents(1, 4), SomeLatents(1, 5)},
                  .in_work = {{.index = chunk, .step = 2, .x = SomeLatents(3, 6)}}},
      .prompts = {.branches = {{1, 2, 3}, {4}}, .old = {5, 6}}};
  return snapshot;
}

KvImage SomeKv(int fill) {
  return {{{0, 0}, Frame(fill)}, {{0, 7}, Frame(fill + 1)}, {{1, 7}, Frame(fill + 2)}};
}

class StoredSnapshotsTest : public testing::Test {
 protected:
  StoredSnapshotsTest() {
    std::string name = (fs::temp_directory_path() / "longtake-snapshots-XXXXXX").string();
    LT_CHECK(mkdtemp(name.data()) != nullptr);
    directory_ = name;
    Open();
    Create("a", 4);
  }
  ~StoredSnapshotsTest() override {
    store_ = nullptr;
    fs::remove_all(directory_);
  }
  void Open() {
    store_ = nullptr;
    auto store = SessionStore::Open({.files = &PosixFileSystem(),
                                     .directory = directory_,
                                     .holder = "the test",
                                     .waiting_bytes_max = 1 << 20},
                                    clock_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  void WriteAll() {
    while (store_->Step()) {
    }
  }
  void Create(const std::string& id, int64_t chunks) {
    ASSERT_TRUE(store_->Create(SessionKey{id}, {}).ok());
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      store_->PutChunk(SessionKey{id}, chunk, SomeLatents(3, static_cast<float>(chunk)));
    }
    WriteAll();
  }
  // Where its parts lie, or nothing when it is not kept.
  std::optional<SnapshotPlaces> Put(const std::string& id, NewSnapshot snapshot) {
    std::optional<SnapshotPlaces> kept;
    bool answered = false;
    store_->PutSnapshot(id, std::move(snapshot), [&](const SnapshotPlaces* places) {
      answered = true;
      if (places != nullptr) kept = *places;
    });
    WriteAll();
    EXPECT_TRUE(answered);
    return kept;
  }
  std::vector<SnapshotRow> Rows(const std::string& id) {
    auto found = store_->LoadSnapshots(id);
    LT_CHECK(found.ok());
    return std::move(found->rows);
  }
  std::vector<int64_t> Chunks(const std::string& id) {
    std::vector<int64_t> chunks;
    for (const SnapshotRow& row : Rows(id)) chunks.push_back(row.chunk);
    return chunks;
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names = *PosixFileSystem().List(directory_ + "/bulk");
    return names;
  }
  std::string PathOf(const std::string& file) const { return directory_ + "/bulk/" + file; }
  // Whether all that the row names can be read.
  absl::Status ReadAll(const SnapshotRow& row) {
    LT_RETURN_IF_ERROR(store_->snapshots().ReadTake(row).status());
    LT_ASSIGN_OR_RETURN(const SnapshotPlaces places, DecodePlaces(row.body));
    for (const auto& [name, place] : places.kv) {
      LT_RETURN_IF_ERROR(store_->snapshots().ReadBytes(place).status());
    }
    return absl::OkStatus();
  }

  std::string directory_;
  ManualClock clock_;
  std::unique_ptr<SessionStore> store_;
};

TEST_F(StoredSnapshotsTest, OneIsThereAsItWasWhenTheStoreIsOpenedAgain) {
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(2), .kv = SomeKv(10)}).has_value());
  EXPECT_EQ(store_->stats().snapshots.snapshots, 1u);
  EXPECT_EQ(store_->stats().snapshots.bytes, fs::file_size(PathOf("1-1")));
  Open();
  const auto found = store_->LoadSnapshots("a");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->damaged, IsEmpty());
  ASSERT_THAT(found->rows, SizeIs(1));
  const auto take = store_->snapshots().ReadTake(found->rows[0]);
  ASSERT_TRUE(take.ok()) << take.status();
  EXPECT_EQ(*take, SomeSnapshot(2));
  const auto places = *DecodePlaces(found->rows[0].body);
  KvImage kv;
  for (const auto& [name, place] : places.kv) kv[name] = *store_->snapshots().ReadBytes(place);
  EXPECT_EQ(kv, SomeKv(10));
  EXPECT_EQ(store_->stats().bytes,
            fs::file_size(PathOf("1-1")) + static_cast<uint64_t>(store_->Sessions()[0].bytes));
}

TEST_F(StoredSnapshotsTest, OneMayHaveNoLatentsAndNothingNew) {
  Snapshot between = SomeSnapshot(2);
  for (auto* latents :
       {&between.rollout.unwritten, &between.rollout.start, &between.rollout.recent}) {
    latents->clear();
  }
  between.rollout.in_work.clear();
  const auto first = Put("a", {.snapshot = between, .kv = SomeKv(10)});
  ASSERT_TRUE(first.has_value());
  between.point.chunk = between.rollout.chunk = 3;
  ASSERT_TRUE(Put("a", {.snapshot = between, .written = first->kv}).has_value());
  Open();
  EXPECT_THAT(Chunks("a"), ElementsAre(3, 2));
  EXPECT_THAT(Files(), ElementsAre("1-1"));
  EXPECT_EQ(*store_->snapshots().ReadTake(Rows("a")[0]), between);
  EXPECT_TRUE(ReadAll(Rows("a")[0]).ok());
}

TEST_F(StoredSnapshotsTest, BytesThatAreNoSnapshotAreRefused) {
  const std::string body = EncodeSnapshot(SomeSnapshot(2), {.kv = {{{0, 7}, {}}, {{1, 7}, {}}}});
  const std::vector<std::byte> latents = LatentBytes(SomeSnapshot(2).rollout);
  EXPECT_TRUE(DecodeSnapshot(body, latents).ok());
  EXPECT_FALSE(DecodeSnapshot(body, std::span(latents).first(latents.size() - 4)).ok());
  std::vector<std::byte> more = latents;
  more.resize(latents.size() + 4);
  EXPECT_FALSE(DecodeSnapshot(body, more).ok());
  EXPECT_FALSE(DecodeSnapshot("\xff\xff", latents).ok());
  EXPECT_FALSE(DecodePlaces("\xff\xff").ok());
  // Whatever byte changed: no crash, and nothing larger than what is there.
  for (size_t i = 0; i < body.size(); ++i) {
    std::string flipped = body;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x40);
    DecodeSnapshot(flipped, latents).IgnoreError();
    DecodePlaces(flipped).IgnoreError();
  }
}

TEST_F(StoredSnapshotsTest, WhatIsUnchangedIsWrittenOnceAndTheNewestTwoStay) {
  const auto first = Put("a", {.snapshot = SomeSnapshot(1), .kv = SomeKv(10)});
  ASSERT_TRUE(first.has_value());
  // Frame 7 of the first branch was made again.
  NewSnapshot second = {.snapshot = SomeSnapshot(2), .kv = {{{0, 7}, Frame(99)}}};
  second.written = first->kv;
  second.written.erase({0, 7});
  const auto kept = Put("a", second);
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->kv.at({0, 0}), first->kv.at({0, 0}));
  EXPECT_EQ(*store_->snapshots().ReadBytes(kept->kv.at({0, 7})), Frame(99));
  EXPECT_THAT(Files(), ElementsAre("1-1", "1-2"));
  EXPECT_LT(fs::file_size(PathOf("1-2")), fs::file_size(PathOf("1-1")));
  // The third names nothing of the first; but the second still does.
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(3), .kv = SomeKv(20)}).has_value());
  EXPECT_THAT(Chunks("a"), ElementsAre(3, 2));
  EXPECT_THAT(Files(), ElementsAre("1-1", "1-2", "1-3"));
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(4), .kv = SomeKv(30)}).has_value());
  EXPECT_THAT(Chunks("a"), ElementsAre(4, 3));
  EXPECT_THAT(Files(), ElementsAre("1-3", "1-4"));
  // One that names what is gone is not kept, and leaves nothing.
  NewSnapshot late = {.snapshot = SomeSnapshot(4), .written = first->kv};
  EXPECT_FALSE(Put("a", late).has_value());
  EXPECT_THAT(Files(), ElementsAre("1-3", "1-4"));
  EXPECT_THAT(Chunks("a"), ElementsAre(4, 3));
}

TEST_F(StoredSnapshotsTest, OneOfAChunkThatIsNotSettledIsNotKept) {
  EXPECT_FALSE(Put("a", {.snapshot = SomeSnapshot(5), .kv = SomeKv(1)}).has_value());
  EXPECT_FALSE(Put("none", {.snapshot = SomeSnapshot(1), .kv = SomeKv(1)}).has_value());
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_EQ(store_->stats().snapshots.snapshots, 0u);
  EXPECT_TRUE(store_->stats().queue.durable);
}

TEST_F(StoredSnapshotsTest, ADamagedOneIsNamedAndNoByteOfItIsGiven) {
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(2), .kv = SomeKv(10)}).has_value());
  const SnapshotRow row = Rows("a")[0];
  ASSERT_TRUE(ReadAll(row).ok());
  const std::string path = PathOf("1-1");
  const auto size = fs::file_size(path);
  // Any byte of extents or tables; what lies between them is nobody's.
  int seen = 0;
  for (uintmax_t at = 0; at < size; at += 97) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ 1));
    file.close();
    const absl::Status damaged = ReadAll(row);
    if (!damaged.ok()) {
      EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss) << damaged;
      EXPECT_NE(damaged.message().find("1-1"), std::string::npos) << damaged;
      ++seen;
    }
    std::fstream mend(path, std::ios::in | std::ios::out | std::ios::binary);
    mend.seekp(static_cast<std::streamoff>(at));
    mend.put(static_cast<char>(byte));
  }
  EXPECT_GT(seen, 90);
  ASSERT_TRUE(ReadAll(row).ok());
  fs::resize_file(path, size - 1);
  EXPECT_EQ(ReadAll(row).code(), absl::StatusCode::kDataLoss);
  fs::remove(path);
  EXPECT_EQ(ReadAll(row).code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoredSnapshotsTest, ADamagedRowIsNamedAndOthersAreNot) {
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(1), .kv = SomeKv(10)}).has_value());
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(2), .kv = SomeKv(10)}).has_value());
  store_ = nullptr;
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((directory_ + "/sessions-1.db").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "UPDATE snapshots SET body=zeroblob(length(body)) WHERE chunk=2",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
  Open();
  EXPECT_THAT(store_->LoadSnapshots("a")->damaged, ElementsAre(2));
  EXPECT_THAT(Chunks("a"), ElementsAre(1));
  ASSERT_TRUE(store_->Delete("a").ok());
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(StoredSnapshotsTest, AFileThatNoRowNamesGoes) {
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(2), .kv = SomeKv(10)}).has_value());
  store_ = nullptr;
  // A crash came between the file and its row.
  fs::copy_file(PathOf("1-1"), PathOf("1-7"));
  std::ofstream(PathOf("notes")) << "not the store's";
  Open();
  EXPECT_THAT(Files(), ElementsAre("1-1", "notes"));
  EXPECT_TRUE(ReadAll(Rows("a")[0]).ok());
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(3), .kv = SomeKv(10)}).has_value());
  EXPECT_THAT(Files(), ElementsAre("1-1", "1-8", "notes")) << "no number is used again";
}

TEST_F(StoredSnapshotsTest, AForkHasItsParentsAndTheLastOneTakesTheFilesAlong) {
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(1), .kv = SomeKv(10)}).has_value());
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(3), .kv = SomeKv(20)}).has_value());
  ASSERT_TRUE(store_->Fork("a", {.id = "early", .chunk = 2}).ok());
  ASSERT_TRUE(store_->Fork("a", {.id = "late", .chunk = 3}).ok());
  EXPECT_THAT(Chunks("early"), ElementsAre(1));
  EXPECT_THAT(Chunks("late"), ElementsAre(3, 1));
  ASSERT_TRUE(store_->Delete("a").ok());
  EXPECT_THAT(Files(), ElementsAre("1-1", "1-2"));
  Open();
  for (const SnapshotRow& row : Rows("late")) {
    EXPECT_TRUE(ReadAll(row).ok());
  }
  ASSERT_TRUE(store_->Delete("late").ok());
  EXPECT_THAT(Files(), ElementsAre("1-1"));
  ASSERT_TRUE(store_->Delete("early").ok());
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_EQ(store_->stats().bytes, 0u);
}

TEST_F(StoredSnapshotsTest, ARewindDropsLaterOnes) {
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(1), .kv = SomeKv(10)}).has_value());
  ASSERT_TRUE(Put("a", {.snapshot = SomeSnapshot(3), .kv = SomeKv(20)}).has_value());
  ASSERT_TRUE(store_->Rewind("a", 2).ok());
  EXPECT_THAT(Chunks("a"), ElementsAre(1));
  EXPECT_THAT(Files(), ElementsAre("1-1"));
}

TEST_F(StoredSnapshotsTest, OnlyAPointOnTheWayOfASessionIsGoneOnFrom) {
  StoredSession session;
  const auto add = [&](Record record) { ASSERT_TRUE(session.Add(1, 0, std::move(record)).ok()); };
  const auto settle = [&](int64_t chunk) {
    add(ChunkSettled{.chunk = chunk, .latents = RefOf(SomeLatents(3, static_cast<float>(chunk)))});
  };
  for (const uint64_t sequence : {1, 2, 3})
    add(AcceptedEvent{.sequence = sequence, .event = {}, .prompt_ids = {}});
  settle(0);
  add(EventHolds{.sequence = 2, .chunk = 1});
  settle(1);
  add(EventHolds{.sequence = 1, .chunk = 2});
  settle(2);
  const auto at = [&](int64_t chunk, int64_t events, uint64_t last) {
    return SnapshotPoint{.chunk = chunk,
                         .events = events,
                         .last_event = last,
                         .before = RefOf(SomeLatents(3, static_cast<float>(chunk - 1))).hash};
  };
  EXPECT_TRUE(LiesOnTheWayOf(session, at(3, 2, 1)));
  EXPECT_TRUE(LiesOnTheWayOf(session, at(2, 2, 1)));
  EXPECT_TRUE(LiesOnTheWayOf(session, at(2, 1, 2))) << "before the event came to hold";
  EXPECT_TRUE(LiesOnTheWayOf(session, at(1, 0, 0)));
  EXPECT_FALSE(LiesOnTheWayOf(session, at(3, 1, 2))) << "an event is missing";
  EXPECT_FALSE(LiesOnTheWayOf(session, at(3, 2, 3))) << "it was another event";
  EXPECT_FALSE(LiesOnTheWayOf(session, at(3, 3, 3)));
  EXPECT_FALSE(LiesOnTheWayOf(session, at(0, 0, 0)));
  EXPECT_FALSE(LiesOnTheWayOf(session, at(4, 2, 1)));
  SnapshotPoint other = at(3, 2, 1);
  ++other.before.low;
  EXPECT_FALSE(LiesOnTheWayOf(session, other)) << "the chunk before was another";
}

TEST_F(StoredSnapshotsTest, OneThatFindsNoRoomIsRefused) {
  EXPECT_TRUE(store_->CheckSnapshotRoom("a", 1 << 20).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(store_->CheckSnapshotRoom("a", (1 << 20) + 1)));
  EXPECT_FALSE(store_->CheckSnapshotRoom("none", 1).ok());
}

}  // namespace
}  // namespace longtake
