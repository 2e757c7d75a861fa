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
#include "tests/engine/kv_bytes.h"

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

std::vector<std::byte> LatentBytes(const RolloutState& rollout) {
  std::vector<std::byte> bytes;
  for (const Latents* latents : AllLatents(rollout)) {
    const auto values = std::as_bytes(latents->values());
    bytes.insert(bytes.end(), values.begin(), values.end());
  }
  return bytes;
}

KvImage SomeImage(int fill) {
  return {{{0, 0}, Frame(fill)}, {{0, 7}, Frame(fill + 1)}, {{1, 7}, Frame(fill + 2)}};
}

NewSnapshot New(Snapshot snapshot, const KvImage& kv,
                std::map<KvFrameName, BulkPlace> written = {}) {
  NewSnapshot made = {.snapshot = std::move(snapshot), .written = std::move(written)};
  for (const auto& [name, bytes] : kv) made.kv[name] = std::make_unique<KvBytes>(bytes);
  return made;
}

NewSnapshot New(int64_t chunk, int fill) { return New(SomeSnapshot(chunk), SomeImage(fill)); }

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
                                     .session_bytes_max = session_bytes_max_,
                                     .bytes_max = bytes_max_,
                                     .waiting_bytes_max = 1 << 20,
                                     .snapshot_turn_bytes = turn_bytes_},
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
    store_->PutSnapshot({.id = id}, std::move(snapshot), [&](const SnapshotPlaces* places) {
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
  uint64_t turn_bytes_ = 8 << 20;
  uint64_t session_bytes_max_ = uint64_t{16} << 30;
  uint64_t bytes_max_ = uint64_t{64} << 30;
  ManualClock clock_;
  std::unique_ptr<SessionStore> store_;
};

TEST_F(StoredSnapshotsTest, OneIsThereAsItWasWhenTheStoreIsOpenedAgain) {
  ASSERT_TRUE(Put("a", New(2, 10)).has_value());
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
  EXPECT_EQ(kv, SomeImage(10));
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
  const auto first = Put("a", New(between, SomeImage(10)));
  ASSERT_TRUE(first.has_value());
  between.point.chunk = between.rollout.chunk = 3;
  ASSERT_TRUE(Put("a", New(between, {}, first->kv)).has_value());
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
  const auto first = Put("a", New(1, 10));
  ASSERT_TRUE(first.has_value());
  // Frame 7 of the first branch was made again.
  NewSnapshot second = New(SomeSnapshot(2), {{{0, 7}, Frame(99)}}, first->kv);
  second.written.erase({0, 7});
  const auto kept = Put("a", std::move(second));
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->kv.at({0, 0}), first->kv.at({0, 0}));
  EXPECT_EQ(*store_->snapshots().ReadBytes(kept->kv.at({0, 7})), Frame(99));
  EXPECT_THAT(Files(), ElementsAre("1-1", "1-2"));
  EXPECT_LT(fs::file_size(PathOf("1-2")), fs::file_size(PathOf("1-1")));
  // The third names nothing of the first; but the second still does.
  ASSERT_TRUE(Put("a", New(3, 20)).has_value());
  EXPECT_THAT(Chunks("a"), ElementsAre(3, 2));
  EXPECT_THAT(Files(), ElementsAre("1-1", "1-2", "1-3"));
  ASSERT_TRUE(Put("a", New(4, 30)).has_value());
  EXPECT_THAT(Chunks("a"), ElementsAre(4, 3));
  EXPECT_THAT(Files(), ElementsAre("1-3", "1-4"));
  // One that names what is gone is not kept, and leaves nothing.
  EXPECT_FALSE(Put("a", New(SomeSnapshot(4), {}, first->kv)).has_value());
  EXPECT_THAT(Files(), ElementsAre("1-3", "1-4"));
  EXPECT_THAT(Chunks("a"), ElementsAre(4, 3));
}

TEST_F(StoredSnapshotsTest, OneOfAChunkThatIsNotSettledIsNotKept) {
  EXPECT_FALSE(Put("a", New(5, 1)).has_value());
  EXPECT_FALSE(Put("none", New(1, 1)).has_value());
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_EQ(store_->stats().snapshots.snapshots, 0u);
  EXPECT_TRUE(store_->stats().queue.durable);
}

TEST_F(StoredSnapshotsTest, ADamagedOneIsNamedAndNoByteOfItIsGiven) {
  ASSERT_TRUE(Put("a", New(2, 10)).has_value());
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
  fs::resize_file(path, size - kBulkAlignment);  // all behind the last table is padding
  EXPECT_EQ(ReadAll(row).code(), absl::StatusCode::kDataLoss);
  fs::remove(path);
  EXPECT_EQ(ReadAll(row).code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoredSnapshotsTest, ADamagedRowIsNamedAndOthersAreNot) {
  ASSERT_TRUE(Put("a", New(1, 10)).has_value());
  ASSERT_TRUE(Put("a", New(2, 10)).has_value());
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
  ASSERT_TRUE(Put("a", New(2, 10)).has_value());
  store_ = nullptr;
  // A crash came between the file and its row.
  fs::copy_file(PathOf("1-1"), PathOf("1-7"));
  std::ofstream(PathOf("notes")) << "not the store's";
  Open();
  EXPECT_THAT(Files(), ElementsAre("1-1", "notes"));
  EXPECT_TRUE(ReadAll(Rows("a")[0]).ok());
  ASSERT_TRUE(Put("a", New(3, 10)).has_value());
  EXPECT_THAT(Files(), ElementsAre("1-1", "1-8", "notes")) << "no number is used again";
}

TEST_F(StoredSnapshotsTest, AForkHasItsParentsAndTheLastOneTakesTheFilesAlong) {
  ASSERT_TRUE(Put("a", New(1, 10)).has_value());
  ASSERT_TRUE(Put("a", New(3, 20)).has_value());
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
  ASSERT_TRUE(Put("a", New(1, 10)).has_value());
  ASSERT_TRUE(Put("a", New(3, 20)).has_value());
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
  EXPECT_FALSE(LiesOnTheWayOf(session, at(1, 2, 1))) << "it holds from a later chunk on";
  EXPECT_FALSE(LiesOnTheWayOf(session, at(0, 0, 0)));
  EXPECT_FALSE(LiesOnTheWayOf(session, at(4, 2, 1)));
  SnapshotPoint other = at(3, 2, 1);
  ++other.before.low;
  EXPECT_FALSE(LiesOnTheWayOf(session, other)) << "the chunk before was another";
}

TEST_F(StoredSnapshotsTest, RecordsAreCommittedBetweenItsTurns) {
  turn_bytes_ = 1000;
  Open();
  std::optional<SnapshotPlaces> kept;
  int turns = 0;
  store_->PutSnapshot({.id = "a"}, New(2, 10),
                      [&](const SnapshotPlaces* places) { kept = *places; });
  for (; !kept.has_value(); ++turns) {
    bool durable = false;
    store_->Put(SessionKey{"a"}, EventHolds{}, [&](bool written) { durable = written; });
    ASSERT_TRUE(store_->Step());
    EXPECT_TRUE(durable) << turns;
    EXPECT_EQ(store_->stats().snapshots.snapshots, kept.has_value() ? 1u : 0u)
        << "no row before all of it is on disk";
  }
  EXPECT_GE(turns, 9);
  EXPECT_TRUE(ReadAll(Rows("a")[0]).ok());
}

TEST_F(StoredSnapshotsTest, OneAfterTheOtherInTheOrderInWhichTheyCame) {
  turn_bytes_ = 1000;
  Open();
  Create("b", 4);
  Create("c", 4);
  std::vector<std::string> answers;
  const auto put = [&](const std::string& id) {
    store_->PutSnapshot({.id = id}, New(2, 10), [&answers, id](const SnapshotPlaces* places) {
      answers.push_back(id + (places == nullptr ? " given up" : ""));
    });
  };
  put("a");
  put("b");
  put("c");
  ASSERT_TRUE(store_->Step());
  ASSERT_TRUE(store_->Step());
  EXPECT_THAT(Files(), SizeIs(1)) << "one file at a time";
  ASSERT_TRUE(store_->Delete("a").ok());  // amid its turns
  WriteAll();
  EXPECT_THAT(answers, ElementsAre("a given up", "b", "c"));
  for (const char* id : {"b", "c"}) EXPECT_TRUE(ReadAll(Rows(id)[0]).ok());
}

TEST_F(StoredSnapshotsTest, OneWhoseFrameIsGoneIsGivenUp) {
  class Gone final : public KvSource {
   public:
    uint64_t bytes() const override { return kFrameBytes; }
    absl::StatusOr<std::span<const std::byte>> Next(std::span<std::byte>) override {
      return absl::AbortedError("gone");
    }
  };
  NewSnapshot snapshot = New(2, 10);
  snapshot.kv[{0, 7}] = std::make_unique<Gone>();
  EXPECT_FALSE(Put("a", std::move(snapshot)).has_value());
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_TRUE(Rows("a").empty());
  EXPECT_EQ(store_->stats().snapshots.failures, 1u);
  EXPECT_TRUE(store_->stats().queue.durable);
  EXPECT_TRUE(Put("a", New(2, 10)).has_value());
}

// Records are what was promised.
TEST_F(StoredSnapshotsTest, TheOldestGoBeforeASessionIsBrokenOff) {
  Create("b", 4);
  ASSERT_TRUE(Put("a", New(1, 10)).has_value());
  ASSERT_TRUE(Put("b", New(2, 10)).has_value());
  ASSERT_TRUE(Put("a", New(3, 10)).has_value());
  const uint64_t all = store_->stats().bytes;
  bytes_max_ = all + 100;  // too little for a chunk of 480
  Open();
  store_->PutChunk(SessionKey{"a"}, 4, SomeLatents(3, 4));
  WriteAll();
  EXPECT_EQ(store_->Sessions()[0].chunks, 5);
  EXPECT_EQ(store_->stats().broken_off, 0);
  EXPECT_THAT(Chunks("a"), ElementsAre(3));
  EXPECT_THAT(Chunks("b"), ElementsAre(2));
  EXPECT_THAT(Files(), ElementsAre("1-3", "2-2"));
  EXPECT_LE(store_->stats().bytes, bytes_max_);
  // What one session may take is its own snapshots' room.
  bytes_max_ = uint64_t{1} << 30;
  session_bytes_max_ = static_cast<uint64_t>(store_->Sessions()[1].bytes) + 9000;
  Open();
  store_->PutChunk(SessionKey{"b"}, 4, SomeLatents(3, 4));
  WriteAll();
  EXPECT_EQ(store_->Sessions()[1].chunks, 5);
  EXPECT_THAT(Chunks("b"), IsEmpty());
  EXPECT_THAT(Chunks("a"), ElementsAre(3));
}

TEST_F(StoredSnapshotsTest, OneThatFindsNoRoomIsRefused) {
  EXPECT_TRUE(store_->CheckSnapshotRoom("a", 1 << 30, 1 << 20).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(store_->CheckSnapshotRoom("a", 0, (1 << 20) + 1)));
  EXPECT_TRUE(absl::IsResourceExhausted(store_->CheckSnapshotRoom("a", uint64_t{1} << 40, 0)));
  EXPECT_FALSE(store_->CheckSnapshotRoom("none", 1, 1).ok());
}

}  // namespace
}  // namespace longtake
