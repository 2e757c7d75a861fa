// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The store by itself: what was handed over is there after it is opened again, in its order, and
// what was damaged on disk is named and never used.
#include "engine/store/session_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/store/record.h"
#include "tests/storage/fault_file.h"

namespace longtake {
namespace {

class SessionStoreTest : public testing::Test {
 protected:
  SessionStoreTest() {
    std::string name = (std::filesystem::temp_directory_path() / "longtake-store-XXXXXX").string();
    LT_CHECK(mkdtemp(name.data()) != nullptr);
    directory_ = name;
    Open();
  }
  ~SessionStoreTest() override {
    store_ = nullptr;
    std::filesystem::remove_all(directory_);
  }

  void Open() {
    store_ = nullptr;
    auto store = SessionStore::Open(
        {.files = &files_,
         .directory = directory_,
         .holder = "the test",
         .scrub_bytes_per_second = scrub_bytes_per_second_,
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
  // Something else writes to the database.
  void Damage(const std::string& sql) {
    store_ = nullptr;
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open((directory_ + "/sessions-1.db").c_str(), &database), SQLITE_OK);
    char* error = nullptr;
    ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    ASSERT_EQ(sqlite3_changes(database), 1) << sql;
    sqlite3_close(database);
    Open();
  }

  // The page that has these bytes cannot be read as one any more.
  void DamagePage(std::string_view bytes) {
    DamageAt([bytes](const std::string& database) {
      LT_CHECK(database.find(bytes) != std::string::npos);
      return database.find(bytes) / kPageBytes * kPageBytes;
    });
  }
  // The header names the first page of the list, which begins with the next one's number.
  void DamageListOfFreePages() {
    DamageAt([](const std::string& database) {
      const auto byte = [&](size_t at) { return static_cast<uint8_t>(database[at]); };
      const size_t first = byte(32) << 24 | byte(33) << 16 | byte(34) << 8 | byte(35);
      LT_CHECK(first != 0);
      return (first - 1) * kPageBytes + 4;  // how many it names
    });
  }
  void DamageAt(const std::function<size_t(const std::string& database)>& where) {
    store_ = nullptr;
    std::fstream file(directory_ + "/sessions-1.db",
                      std::ios::in | std::ios::out | std::ios::binary);
    const size_t at = where({std::istreambuf_iterator<char>(file), {}});
    file.seekp(static_cast<std::streamoff>(at));
    file.put('\x7f');
    file.close();
    Open();
  }
  // Whether it became durable.
  std::shared_ptr<std::optional<bool>> Put(const std::string& id, uint64_t sequence) {
    const auto durable = std::make_shared<std::optional<bool>>();
    store_->Put(SessionKey{id}, Event(sequence), [durable](bool now) { *durable = now; });
    return durable;
  }
  // Enough for some pages of its own.
  void MakeLong(const std::string& id) {
    ASSERT_TRUE(store_->Create(SessionKey{id}, Created()).ok());
    for (uint64_t i = 1; i <= 100; ++i) {
      AcceptedEvent event = Event(i);
      event.event.prompt = absl::StrCat(id, " asks for number ", i, std::string(200, '.'));
      store_->Put(SessionKey{id}, event);
    }
    WriteAll();
  }

  static SessionCreated Created() {
    return {.spec = {.prompt = "a red ball",
                     .prompt_changes = {{.frame = 9, .prompt = "a blue one"}},
                     .negative_prompt = "rain",
                     .guidance = 3.5,
                     .seed = 7,
                     .width = 160,
                     .height = 96,
                     .fps = 16,
                     .frame_count = 33,
                     .steps = {1000, 500},
                     .step_count = 3,
                     .key_plan = {.kind = KeyPlanKind::kRollingSink,
                                  .window_frames = 12,
                                  .sink_frames = 3,
                                  .sink_start = 1},
                     .prompt_switch = PromptSwitch::kRecacheAndSink,
                     .tiled_decode = true,
                     .decoder = DecoderKind::kTiny,
                     .media_kind = MediaKind::kRgb24,
                     .ttl_nanos = 5,
                     .start_frames = 9,
                     .numerics_profile = "p",
                     .allow_other_numerics = true},
            .model_digest = "d",
            .numerics_profile = "n",
            .create_wall_nanos = 3,
            .decoder_digest = "e"};
  }
  static AcceptedEvent Event(uint64_t sequence) {
    return {.sequence = sequence,
            .event = {.kind = EventKind::kPrompt,
                      .prompt = "more",
                      .frame = 21,
                      .control_id = 40 + sequence},
            .prompt_ids = {}};
  }
  static Latents SomeLatents(float first) {
    Latents latents(2, {.frames = 3, .height = 4, .width = 5});
    for (float& value : latents.values()) value = first++;
    return latents;
  }
  // A session that has done a bit of everything.
  void MakeSession(const std::string& id) {
    ASSERT_TRUE(store_->Create(SessionKey{id}, Created()).ok());
    store_->PutStart(SessionKey{id}, SomeLatents(-100));
    store_->Record(SessionKey{id}, Event(1), [](const absl::Status&, bool) {});
    store_->Record(SessionKey{id}, Event(3), [](const absl::Status&, bool) {});
    store_->Put(SessionKey{id}, EventHolds{.sequence = 3, .chunk = 0, .shown = true});
    store_->PutChunk(SessionKey{id}, 0, SomeLatents(0));
    store_->Put(SessionKey{id}, ChunkDecoded{.chunk = 0,
                                             .end_frame = 9,
                                             .digest = {.high = 1, .low = 2},
                                             .chain = {.high = 3, .low = 4},
                                             .sent = 1});
    store_->PutChunk(SessionKey{id}, 1, SomeLatents(500));
    store_->Put(SessionKey{id}, SessionEnded());
    WriteAll();
  }

  std::string directory_;
  FaultFileSystem files_{PosixFileSystem()};
  // So many seconds in which nothing is written.
  void Rest(int seconds) {
    for (int i = 0; i < 10 * seconds; ++i) {
      clock_.Advance(100'000'000);
      WriteAll();
    }
  }

  static constexpr size_t kPageBytes = 4096;
  uint64_t scrub_bytes_per_second_ = 0;
  std::vector<std::string> told_;  // of damage
  ManualClock clock_;
  std::unique_ptr<SessionStore> store_;
};

TEST_F(SessionStoreTest, WhatWasHandedOverIsThereWhenItIsOpenedAgain) {
  MakeSession("a");
  Open();
  const auto session = store_->Load("a");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(session->created, Created());
  ASSERT_EQ(session->events.size(), 2u);
  EXPECT_EQ(session->events[0].accepted, Event(1));
  EXPECT_EQ(session->events[0].applied_chunk, std::nullopt);
  EXPECT_EQ(session->events[1].accepted, Event(3));
  EXPECT_EQ(session->events[1].applied_chunk, 0);
  EXPECT_TRUE(session->events[1].shown);
  EXPECT_EQ(session->applied, std::vector<size_t>{1});
  ASSERT_EQ(session->settled.size(), 2u);
  ASSERT_EQ(session->decoded.size(), 1u);
  EXPECT_EQ(session->decoded[0].sent, 1);
  EXPECT_TRUE(session->ended);
  const auto chunk = store_->LoadLatents(session->settled[1]);
  ASSERT_TRUE(chunk.ok()) << chunk.status();
  EXPECT_EQ(*chunk, SomeLatents(500));
  ASSERT_TRUE(session->start.has_value());
  EXPECT_EQ(*store_->LoadLatents(*session->start), SomeLatents(-100));
  const auto summary = store_->Describe("a");
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->created, Created());
  EXPECT_EQ(summary->row.chunks, 2);
  EXPECT_EQ(summary->row.decoded, 1);
  EXPECT_EQ(summary->row.end_frame, 9);
}

TEST_F(SessionStoreTest, DoneComesAfterTheCommitAndInOrder) {
  ASSERT_TRUE(store_->Create(SessionKey{"a"}, Created()).ok());
  std::vector<int> order;
  store_->Record(SessionKey{"a"}, Event(1), [&](const absl::Status& status, bool durable) {
    EXPECT_TRUE(status.ok() && durable);
    order.push_back(1);
  });
  store_->PutChunk(SessionKey{"a"}, 0, SomeLatents(0), [&](bool durable) {
    EXPECT_TRUE(durable);
    order.push_back(2);
  });
  EXPECT_TRUE(order.empty());
  EXPECT_TRUE(store_->Step());
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_FALSE(store_->Step());
}

TEST_F(SessionStoreTest, AnIdIsTakenOnceAndFreeWhenItsSessionIsDeleted) {
  MakeSession("a");
  EXPECT_EQ(ReasonFor(store_->Create(SessionKey{"a"}, Created())), Reason::kSessionExists);
  EXPECT_TRUE(store_->Delete("a").ok());
  EXPECT_EQ(ReasonFor(store_->Delete("a")), Reason::kSessionNotFound);
  EXPECT_EQ(ReasonFor(store_->Load("a").status()), Reason::kSessionNotFound);
  ASSERT_TRUE(store_->Create(SessionKey{"a"}, Created()).ok());
  Open();
  const auto session = store_->Load("a");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE(session->events.empty());
  EXPECT_TRUE(session->settled.empty());
  EXPECT_EQ(store_->Sessions().at(0).number, 2) << "numbers are not used again";
}

TEST_F(SessionStoreTest, SeveralAreDescribedAtOnce) {
  for (const char* id : {"a", "b", "c", "d"}) MakeSession(id);
  Damage("UPDATE records SET body=zeroblob(length(body)) WHERE session=2 AND number=0");
  const auto commits = store_->stats().queue.commits;
  const auto some = *store_->DescribeSome({"d", "none", "b", "a"}, 1 << 20);
  EXPECT_EQ(store_->stats().queue.commits, commits + 1);
  ASSERT_EQ(some.size(), 4u);
  EXPECT_EQ(some[0]->row.id, "d");
  EXPECT_EQ(some[0]->created, Created());
  EXPECT_FALSE(some[1].has_value());
  ASSERT_TRUE(some[2].has_value());
  EXPECT_EQ(some[2]->row.id, "b");
  EXPECT_NE(some[2]->damage, "");
  EXPECT_EQ(some[3]->row.id, "a");
  const uint64_t bytes = EncodeRecord(Created()).body.size();
  EXPECT_EQ(store_->DescribeSome({"d", "a", "c"}, 2 * bytes)->size(), 2u);
  EXPECT_EQ(store_->DescribeSome({"d", "a", "c"}, 0)->size(), 1u);
}

TEST_F(SessionStoreTest, AClockThatJumpsForwardDeletesNothingAtOnce) {
  constexpr int64_t kHour = 3600LL * 1'000'000'000;
  MakeSession("a");
  store_->PutInUse(SessionKey{"a"}, false);  // for a day
  WriteAll();
  clock_.JumpWall(5 * 365 * 24 * kHour);
  clock_.Advance(23 * kHour);
  WriteAll();
  EXPECT_TRUE(store_->Contains("a")) << "time is counted without the jump";
  // While nobody counted it may have passed; so somebody may look first.
  Open();
  clock_.Advance(kHour / 2);
  WriteAll();
  EXPECT_TRUE(store_->Contains("a"));
  // What is parked meanwhile does not stay for five years when the clock is set right.
  MakeSession("b");
  store_->PutInUse(SessionKey{"b"}, false);
  WriteAll();
  clock_.JumpWall(-5 * 365 * 24 * kHour);
  clock_.Advance(kHour / 2 - kHour / 60);
  WriteAll();
  EXPECT_TRUE(store_->Contains("a")) << "its day is not over";
  clock_.Advance(kHour);
  WriteAll();
  EXPECT_FALSE(store_->Contains("a"));
  clock_.Advance(22 * kHour);
  WriteAll();
  EXPECT_TRUE(store_->Contains("b"));
  clock_.Advance(2 * kHour);
  WriteAll();
  EXPECT_FALSE(store_->Contains("b"));
}

TEST_F(SessionStoreTest, ADeletedSessionTakesNoRecords) {
  MakeSession("a");
  ASSERT_TRUE(store_->Delete("a").ok());
  bool durable = true;
  store_->PutChunk(SessionKey{"a"}, 2, SomeLatents(1), [&](bool is) { durable = is; });
  WriteAll();
  EXPECT_FALSE(durable);
  EXPECT_TRUE(store_->stats().queue.durable);
}

TEST_F(SessionStoreTest, PixelsAreMadeAnewInOtherNumerics) {
  MakeSession("a");
  const NumericsChanged changed = {.numerics_profile = "other", .chunk = 0, .first_frame = 0};
  store_->Put(SessionKey{"a"}, changed);
  store_->Put(SessionKey{"a"}, ChunkDecoded{.chunk = 0, .end_frame = 9, .sent = 2});
  WriteAll();
  Open();
  const auto session = store_->Load("a");
  ASSERT_TRUE(session.ok()) << session.status();
  ASSERT_EQ(session->decoded.size(), 1u);
  EXPECT_EQ(session->decoded[0].sent, 2);
  EXPECT_TRUE(session->numerics_changed);
  EXPECT_EQ(session->settled.size(), 2u);
  EXPECT_EQ(store_->Describe("a")->row.decoded, 1);
  const RecordBytes bytes = EncodeRecord(changed);
  EXPECT_EQ(std::get<NumericsChanged>(*DecodeRecord(bytes.kind, bytes.body)), changed);
}

TEST_F(SessionStoreTest, AChunkThatIsThereIsNotWrittenTwice) {
  MakeSession("a");
  store_->PutChunk(SessionKey{"a"}, 1, SomeLatents(500));
  store_->Put(SessionKey{"a"}, ChunkDecoded{.chunk = 0});
  WriteAll();
  const auto session = store_->Load("a");
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(session->settled.size(), 2u);
  EXPECT_EQ(session->decoded.size(), 1u);
}

TEST_F(SessionStoreTest, ASecondProcessIsToldWhoHasTheDirectory) {
  const auto second = SessionStore::Open(
      {.files = &PosixFileSystem(), .directory = directory_, .holder = "another"}, clock_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(second.status().message().find("the test"), std::string::npos) << second.status();
}

TEST_F(SessionStoreTest, WhatOnlyForksNeedCountsUntilTheLastOfThemIsGone) {
  MakeSession("a");
  const uint64_t alone = store_->stats().bytes;
  ASSERT_TRUE(store_->Fork("a", {.id = "b", .chunk = 1}).ok());
  ASSERT_TRUE(store_->Fork("b", {.id = "c", .chunk = 1}).ok());
  ASSERT_TRUE(store_->Fork("a", {.id = "d", .chunk = 1}).ok());
  const uint64_t all = store_->stats().bytes;
  EXPECT_GT(all, alone);
  ASSERT_TRUE(store_->Delete("a").ok());
  ASSERT_TRUE(store_->Delete("b").ok());
  EXPECT_EQ(store_->stats().sessions, 2);
  EXPECT_EQ(store_->stats().bytes, all) << "all of it is still on disk";
  Open();
  EXPECT_EQ(store_->stats().bytes, all);
  EXPECT_EQ(store_->Load("c")->settled.size(), 1u);
  ASSERT_TRUE(store_->Delete("c").ok());
  EXPECT_LT(store_->stats().bytes, all);
  EXPECT_GT(store_->stats().bytes, alone) << "one more needs the first";
  ASSERT_TRUE(store_->Delete("d").ok());
  EXPECT_EQ(store_->stats().bytes, 0u);
  Open();
  EXPECT_EQ(store_->stats().bytes, 0u);
}

TEST_F(SessionStoreTest, DamagedRowsAreNamedAndOtherSessionsAreNotTouched) {
  const char* damages[] = {
      "UPDATE records SET body=zeroblob(length(body)) WHERE session=1 AND number=2",
      "UPDATE records SET kind=7 WHERE session=1 AND number=4",
      "UPDATE records SET number=9 WHERE session=1 AND number=5",
      "UPDATE records SET link=zeroblob(16) WHERE session=1 AND number=3",
      "DELETE FROM records WHERE session=1 AND number=4",
      "DELETE FROM records WHERE session=1 AND number=8",
  };
  for (const char* damage : damages) {
    store_ = nullptr;
    std::filesystem::remove_all(directory_);
    Open();
    MakeSession("hurt");
    MakeSession("sound");
    Damage(damage);
    const auto hurt = store_->Load("hurt");
    EXPECT_EQ(ReasonFor(hurt.status()), Reason::kSessionCorrupt) << damage << hurt.status();
    EXPECT_NE(hurt.status().message().find("hurt"), std::string::npos) << hurt.status();
    EXPECT_TRUE(store_->Load("sound").ok()) << damage;
    EXPECT_TRUE(store_->Delete("hurt").ok()) << damage;
  }
}

// Its name stays taken, so that nobody is told that the session was never there.
TEST_F(SessionStoreTest, ASessionWhoseOwnRowIsDamagedIsNamedAndCanBeDeleted) {
  MakeSession("hurt");
  MakeSession("sound");
  ASSERT_TRUE(store_->Fork("hurt", {.id = "fork", .chunk = 1}).ok());
  Damage("UPDATE sessions SET chunks=chunks+1 WHERE id='hurt'");
  EXPECT_EQ(store_->stats().damaged, std::vector<int64_t>{1});
  const auto is_refused = [](const absl::Status& status) {
    EXPECT_EQ(ReasonFor(status), Reason::kSessionCorrupt) << status;
    EXPECT_NE(status.message().find("hurt"), std::string::npos) << status;
  };
  EXPECT_TRUE(store_->Contains("hurt"));
  is_refused(store_->Load("hurt").status());
  is_refused(store_->Describe("hurt").status());
  is_refused(store_->Create(SessionKey{"hurt"}, Created()));
  is_refused(store_->Fork("sound", {.id = "hurt", .chunk = 1}));
  is_refused(store_->Rewind("hurt", 1));
  const auto lost = Put("hurt", 99);
  WriteAll();
  EXPECT_EQ(*lost, false);
  EXPECT_TRUE(store_->durable());
  ASSERT_TRUE(store_->Delete("hurt").ok());
  EXPECT_EQ(store_->stats().damaged, std::vector<int64_t>{});
  ASSERT_TRUE(store_->Create(SessionKey{"hurt"}, Created()).ok());
  EXPECT_EQ(store_->Load("fork")->settled.size(), 1u) << "it reads what was deleted";
  Open();
  EXPECT_TRUE(store_->Load("hurt").ok());
  EXPECT_EQ(store_->Load("fork")->settled.size(), 1u);
  ASSERT_TRUE(store_->Delete("fork").ok());
  EXPECT_EQ(store_->Sessions().size(), 2u);
}

TEST_F(SessionStoreTest, ASessionWhoseOwnRowIsDamagedIsDescribedAndEnds) {
  constexpr int64_t kHour = 3600LL * 1'000'000'000;
  MakeSession("hurt");
  MakeSession("sound");
  ASSERT_TRUE(store_->Fork("hurt", {.id = "fork", .chunk = 1}).ok());
  for (const char* id : {"sound", "fork"}) store_->PutInUse(SessionKey{id}, true);
  WriteAll();
  clock_.Advance(20 * kHour);
  Damage("UPDATE sessions SET chunks=chunks+1 WHERE id='hurt'");
  for (const char* id : {"sound", "fork"}) store_->PutInUse(SessionKey{id}, true);
  const std::vector<SessionRow> damaged = store_->DamagedSessions();
  ASSERT_EQ(damaged.size(), 1u);
  EXPECT_EQ(damaged[0].id, "hurt");
  EXPECT_EQ(damaged[0].create_wall_nanos, 0) << "nothing of it is to be believed";
  EXPECT_EQ(damaged[0].expire_wall_nanos, clock_.WallNanos() + 24 * kHour);
  const auto some = store_->DescribeSome({"hurt", "sound"}, 1 << 20);
  ASSERT_TRUE(some.ok()) << some.status();
  ASSERT_TRUE((*some)[0].has_value());
  EXPECT_EQ((*some)[0]->row, damaged[0]);
  EXPECT_EQ((*some)[0]->damage, "its own row is damaged");
  EXPECT_EQ((*some)[1]->damage, "");
  clock_.Advance(24 * kHour - 60LL * 1'000'000'000);
  WriteAll();
  EXPECT_TRUE(store_->Contains("hurt"));
  clock_.Advance(60LL * 1'000'000'000);
  WriteAll();
  EXPECT_FALSE(store_->Contains("hurt"));
  EXPECT_TRUE(store_->DamagedSessions().empty());
  EXPECT_EQ(store_->stats().damaged, std::vector<int64_t>{});
  EXPECT_TRUE(store_->Contains("sound"));
  EXPECT_EQ(store_->Load("fork")->settled.size(), 1u) << "it reads what is gone";
}

TEST_F(SessionStoreTest, ADamagedPageRefusesTheSessionThatWritesThere) {
  MakeLong("sound");
  MakeLong("hurt");
  DamagePage("hurt asks for number 100.");
  const auto before = Put("sound", 101);
  const auto refused = Put("hurt", 101);
  const auto after = Put("sound", 102);
  ASSERT_TRUE(store_->Step());
  EXPECT_EQ(*before, true);
  EXPECT_EQ(*refused, false);
  EXPECT_EQ(*after, true);
  EXPECT_TRUE(store_->durable());
  EXPECT_EQ(store_->stats().damaged, std::vector<int64_t>{2});
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_EQ(told_[0].rfind("hurt: ", 0), 0u) << told_[0];
  EXPECT_NE(store_->DamageOf("hurt"), "");
  // Nothing is written behind what is missing.
  EXPECT_FALSE(store_->IsKept("hurt"));
  const auto later = Put("hurt", 102);
  const auto last = Put("sound", 103);
  WriteAll();
  EXPECT_EQ(*later, false);
  EXPECT_EQ(*last, true);
  const auto is_refused = [](const absl::Status& status) {
    EXPECT_EQ(ReasonFor(status), Reason::kSessionCorrupt) << status;
    EXPECT_NE(status.message().find("hurt"), std::string::npos) << status;
  };
  const auto with_a_read = Put("sound", 104);
  is_refused(store_->Load("hurt").status());
  EXPECT_EQ(*with_a_read, true);
  is_refused(store_->Rewind("hurt", 0));
  is_refused(store_->Fork("hurt", {.id = "copy", .chunk = 0}));
  EXPECT_TRUE(store_->durable());
  // It can go, though its rows cannot be found where they lie.
  ASSERT_TRUE(store_->Delete("hurt").ok());
  EXPECT_THAT(told_, testing::Contains(testing::HasSubstr("written anew")));
  EXPECT_EQ(store_->stats().damaged, std::vector<int64_t>{0}) << "what was found in the database";
  EXPECT_FALSE(store_->Contains("hurt"));
  Open();
  EXPECT_EQ(store_->Sessions().size(), 1u);
  EXPECT_EQ(store_->Load("sound")->events.size(), 104u);
  EXPECT_FALSE(store_->Contains("copy"));
}

TEST_F(SessionStoreTest, ASessionThatNeverWasIsNotDamaged) {
  MakeLong("hurt");
  DamagePage("hurt asks for number 100.");
  // Rows cannot be written anew.
  ASSERT_TRUE(std::filesystem::create_directory(directory_ + "/sessions-2.db.copy-rows"));
  const absl::Status created = store_->Create(SessionKey{"new"}, Created());
  EXPECT_EQ(ReasonFor(created), Reason::kStorageUnavailable) << created;
  EXPECT_FALSE(store_->Contains("new"));
  EXPECT_TRUE(store_->Create(SessionKey{"new"}, Created()).ok()) << "the next try has another name";
}

// A page of which no session's records are: everybody's next chunk goes there.
TEST_F(SessionStoreTest, WhereAPageIsInEverybodysWayRowsAreWrittenAnew) {
  // Each has a page that it alone begins on.
  const auto large = [](float first) {
    Latents latents(1, {.frames = 1, .height = 40, .width = 50});
    for (float& value : latents.values()) value = first++;
    return latents;
  };
  for (const char* id : {"sound", "hurt"}) {
    ASSERT_TRUE(store_->Create(SessionKey{id}, Created()).ok());
    for (int64_t chunk = 0; chunk < 2; ++chunk) {
      store_->PutChunk(SessionKey{id}, chunk, large(id[0] == 'h' ? 5000 : 0));
    }
    WriteAll();
  }
  const Latents last = large(5000);
  const auto* bytes = reinterpret_cast<const char*>(last.values().data());
  DamageAt([bytes](const std::string& database) {
    return database.rfind({bytes, 1000}) / kPageBytes * kPageBytes;
  });
  const std::vector<SessionRow> rows = store_->Sessions();
  std::optional<bool> durable;
  store_->PutChunk(SessionKey{"sound"}, 2, large(0), [&](bool now) { durable = now; });
  WriteAll();
  EXPECT_EQ(durable, true);
  EXPECT_TRUE(store_->durable());
  ASSERT_FALSE(told_.empty());
  EXPECT_NE(told_[0].find("written anew"), std::string::npos) << told_[0];
  EXPECT_EQ(store_->DamageOf("sound"), "");
  EXPECT_NE(store_->DamageOf("hurt"), "");
  const auto refused = Put("hurt", 1);
  WriteAll();
  EXPECT_EQ(*refused, false);
  Open();
  const auto sound = store_->Load("sound");
  ASSERT_EQ(sound->settled.size(), 3u);
  for (const StoredLatents& chunk : sound->settled)
    EXPECT_EQ(*store_->LoadLatents(chunk), large(0));
  SessionRow as_it_was = store_->Sessions()[1];
  as_it_was.expire_wall_nanos = rows[1].expire_wall_nanos;
  EXPECT_EQ(as_it_was, rows[1]);
  const auto hurt = store_->Load("hurt");
  ASSERT_TRUE(hurt.ok()) << hurt.status();
  EXPECT_EQ(ReasonFor(store_->LoadLatents(hurt->settled[1]).status()), Reason::kSessionCorrupt);
  ASSERT_TRUE(store_->Create(SessionKey{"new"}, Created()).ok());
  EXPECT_EQ(store_->Sessions()[2].number, 3) << "no number is used twice";
}

TEST_F(SessionStoreTest, ADamagedListOfFreePagesHarmsNobody) {
  MakeLong("one");
  MakeLong("two");
  MakeLong("gone");
  ASSERT_TRUE(store_->Delete("gone").ok());
  DamageListOfFreePages();
  MakeLong("new");
  EXPECT_TRUE(store_->durable());
  ASSERT_FALSE(told_.empty());
  EXPECT_NE(told_[0].find("written anew"), std::string::npos) << told_[0];
  Open();
  for (const char* id : {"one", "two", "new"}) {
    EXPECT_EQ(store_->DamageOf(id), "");
    EXPECT_EQ(store_->Load(id)->events.size(), 100u) << id;
  }
  EXPECT_EQ(store_->Sessions()[2].number, 4) << "no number is used twice";
}

// The new file has its name then, and the next process takes it.
TEST_F(SessionStoreTest, WhatIsWrittenAfterARescueThatFailedLateIsNotLost) {
  MakeLong("one");
  MakeLong("two");
  MakeLong("gone");
  ASSERT_TRUE(store_->Delete("gone").ok());
  DamageListOfFreePages();
  int left = 1;
  files_.set_decide_sync([&](const std::string& path) {
    const bool fails = path == directory_ && left-- == 1;
    return fails ? absl::UnavailableError("sync " + path) : absl::OkStatus();
  });
  for (uint64_t i = 101; i < 200; ++i) Put("one", i);
  WriteAll();
  ASSERT_LT(left, 1) << "nothing was written anew";
  EXPECT_NE(store_->DamageOf("one"), "") << "the rescue should have failed";
  const auto durable = Put("two", 101);
  WriteAll();
  EXPECT_EQ(*durable, true);
  Open();
  EXPECT_EQ(store_->Load("two")->events.size(), 101u);
}

TEST_F(SessionStoreTest, DamagedLatentsAreNotUsed) {
  MakeSession("a");
  const auto session = store_->Load("a");
  ASSERT_TRUE(session.ok());
  StoredLatents hurt = session->settled[1];
  Damage("UPDATE latents SET body=zeroblob(length(body)) WHERE session=1 AND record=7");
  EXPECT_EQ(ReasonFor(store_->LoadLatents(hurt).status()), Reason::kSessionCorrupt);
  EXPECT_TRUE(store_->LoadLatents(session->settled[0]).ok());
  hurt.record = 99;
  EXPECT_EQ(ReasonFor(store_->LoadLatents(hurt).status()), Reason::kSessionCorrupt);
}

// SQLite says so without knowing whose they are.
TEST_F(SessionStoreTest, LatentsOnADamagedPageAreTheSessionsLoss) {
  MakeSession("a");
  const auto session = store_->Load("a");
  ASSERT_TRUE(session.ok());
  const float first = 500;
  DamagePage({reinterpret_cast<const char*>(&first), sizeof(first)});
  const absl::Status status = store_->LoadLatents(session->settled[1]).status();
  EXPECT_EQ(ReasonFor(status), Reason::kSessionCorrupt) << status;
}

TEST_F(SessionStoreTest, AFileThatCannotBeReadIsNoSessionThatIsOver) {
  ASSERT_TRUE(store_->Create(SessionKey{"a"}, Created()).ok());
  store_->PutChunk(SessionKey{"a"}, 0, Latents(16, {.frames = 3, .height = 32, .width = 32}));
  WriteAll();
  const StoredLatents chunk = store_->Load("a")->settled[0];
  for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/bulk")) {
    std::filesystem::remove(entry.path());
    std::filesystem::create_directory(entry.path());
  }
  const absl::Status status = store_->LoadLatents(chunk).status();
  EXPECT_EQ(ReasonFor(status), Reason::kStorageUnavailable) << status;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(SessionStoreTest, StartFramesAreKeptUntilTheyAreLatents) {
  const SessionKey key{"a"};
  ASSERT_TRUE(store_->Create(key, Created()).ok());
  WriteAll();
  const uint64_t empty_bytes = store_->stats().bytes;
  std::string order;
  const auto put = [&](int64_t offset, const std::string& bytes) {
    store_->RecordStart(key, offset, bytes, [&, bytes](const absl::Status& result, bool durable) {
      EXPECT_TRUE(result.ok() && durable);
      order += bytes;
    });
  };
  put(0, "ab");
  put(5, "fg");  // a later one may come first
  EXPECT_EQ(order, "") << "before it is on disk";
  WriteAll();
  EXPECT_EQ(order, "abfg");
  const auto loaded = [&] {
    const auto start = store_->LoadStart("a", 7);
    return start.ok() ? std::string(start->begin(), start->end())
                      : std::string(start.status().message());
  };
  Open();
  EXPECT_EQ(loaded(), "ab") << "not what lies behind a gap";
  EXPECT_EQ(store_->Describe("a")->start_bytes, 2);
  put(2, "cde");
  WriteAll();
  Open();
  EXPECT_EQ(loaded(), "abcdefg");
  EXPECT_EQ(store_->Describe("a")->start_bytes, 7);
  EXPECT_EQ(store_->stats().bytes, empty_bytes + 7);
  EXPECT_FALSE(store_->LoadStart("a", 6).ok()) << "more than its spec has";
  store_->PutStart(key, SomeLatents(0));
  WriteAll();
  EXPECT_EQ(loaded(), "");
  const uint64_t started_bytes = store_->stats().bytes;
  const Record started = TakeStarted{.latents = RefOf(SomeLatents(0))};
  EXPECT_EQ(started_bytes,
            empty_bytes + SomeLatents(0).values().size_bytes() + EncodeRecord(started).body.size());
  put(0, "x");
  WriteAll();
  EXPECT_EQ(store_->stats().bytes, started_bytes + 1);
  ASSERT_TRUE(store_->Delete("a").ok());
  EXPECT_EQ(store_->stats().bytes, 0u);
}

TEST_F(SessionStoreTest, DamagedStartFramesAreNamed) {
  const SessionKey key{"a"};
  ASSERT_TRUE(store_->Create(key, Created()).ok());
  store_->RecordStart(key, 0, "ab", [](const absl::Status&, bool) {});
  store_->RecordStart(key, 2, "cd", [](const absl::Status&, bool) {});
  WriteAll();
  Damage("UPDATE start_parts SET body=x'7878' WHERE first_byte=2");
  const absl::Status status = store_->LoadStart("a", 4).status();
  EXPECT_EQ(ReasonFor(status), Reason::kSessionCorrupt);
  EXPECT_NE(status.message().find("byte 2"), std::string::npos) << status;
}

TEST_F(SessionStoreTest, TablesOfEarlierVersionsAreBroughtUp) {
  std::string all_back;
  for (const char* back :
       {"ALTER TABLE sessions DROP COLUMN base; ALTER TABLE sessions DROP COLUMN first_kept;"
        " PRAGMA user_version=3;",
        "DROP TABLE start_parts; DROP TABLE latent_places; PRAGMA user_version=2;",
        "DROP TABLE snapshots; DROP TABLE snapshot_files; PRAGMA user_version=1;"}) {
    all_back += back;
    const std::string sql = all_back + "UPDATE sessions SET id=id";
    store_ = nullptr;
    std::filesystem::remove_all(directory_);
    Open();
    MakeSession("a");
    Damage(sql);
    EXPECT_EQ(store_->Load("a")->settled.size(), 2u) << sql;
    EXPECT_EQ(store_->LoadStart("a", 9)->size(), 0u) << sql;
    EXPECT_TRUE(store_->LoadSnapshots("a").ok()) << sql;
  }
}

TEST_F(SessionStoreTest, AllIsReadAgainAndDamageIsToldOf) {
  scrub_bytes_per_second_ = 1 << 20;
  Open();
  MakeSession("sound");
  MakeSession("hurt");
  store_->RecordStart(SessionKey{"hurt"}, 0, "ab", [](const absl::Status&, bool) {});
  WriteAll();
  Rest(2);
  EXPECT_EQ(store_->stats().scrub.passes, 1u);
  EXPECT_GT(store_->stats().scrub.bytes, 2 * 3 * SomeLatents(0).values().size_bytes());
  EXPECT_TRUE(told_.empty()) << told_[0];
  const std::pair<const char*, const char*> damages[] = {
      {"UPDATE latents SET body=zeroblob(length(body)) WHERE session=2 AND record=5",
       "hurt: session store: the latents of record 5 of session 2"},
      {"UPDATE records SET body=zeroblob(length(body)) WHERE session=2 AND number=6",
       "hurt: session store: record 6 of session number 2"},
      {"UPDATE start_parts SET body=x'7878' WHERE session=2",
       "hurt: session store: the start frames"},
      {"UPDATE sessions SET chunks=7 WHERE number=2", ": session number 2: its own row is damaged"},
  };
  for (const auto& [sql, told] : damages) {
    told_.clear();
    Damage(sql);
    Rest(2);
    ASSERT_FALSE(told_.empty()) << sql;
    const std::string last = told_.back();  // those before are still there, too
    EXPECT_EQ(last.rfind(told, 0), 0u) << last;
    EXPECT_EQ(store_->stats().damaged, std::vector<int64_t>{2});
    EXPECT_EQ(store_->DamageOf("sound"), "");
    if (last[0] == ':') break;
    EXPECT_NE(store_->DamageOf("hurt").find(last.substr(6)), std::string::npos);
    EXPECT_EQ(store_->Describe("hurt")->damage, store_->DamageOf("hurt"));
  }
  // Who is asked for what is damaged tells of it at once.
  store_ = nullptr;
  std::filesystem::remove_all(directory_);
  scrub_bytes_per_second_ = 0;
  Open();
  MakeSession("hurt");
  Damage(damages[1].first + std::string(" OR session=1 AND number=6"));
  told_.clear();
  EXPECT_FALSE(store_->Load("hurt").ok());
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(SessionStoreTest, ReadingAgainKeepsToItsRate) {
  scrub_bytes_per_second_ = 64 << 10;
  Open();
  ASSERT_TRUE(store_->Create(SessionKey{"a"}, Created()).ok());
  for (int64_t chunk = 0; chunk < 40; ++chunk) {
    store_->PutChunk(SessionKey{"a"}, chunk,
                     Latents(16, {.frames = 3, .height = 16, .width = 16}));  // 48 KiB
  }
  WriteAll();
  for (int i = 1; i <= 20; ++i) {
    Rest(1);
    const uint64_t bytes = store_->stats().scrub.bytes;
    EXPECT_LE(bytes, (i + 1) * scrub_bytes_per_second_);
    EXPECT_GE(bytes, (i - 1) * scrub_bytes_per_second_ / 2);
  }
  EXPECT_EQ(store_->stats().scrub.passes, 0u);
  Rest(40);
  EXPECT_EQ(store_->stats().scrub.passes, 1u);
  clock_.Advance(24LL * 3600 * 1'000'000'000);
  Rest(60);
  EXPECT_EQ(store_->stats().scrub.passes, 2u) << "every day one";
}

TEST_F(SessionStoreTest, ASessionThatGoesWhileItIsReadIsNoDamage) {
  scrub_bytes_per_second_ = 8 << 10;
  Open();
  MakeSession("a");
  MakeSession("b");
  for (const char* id : {"a", "b"}) {
    Rest(1);
    ASSERT_TRUE(store_->Delete(id).ok());
  }
  Rest(10);
  EXPECT_TRUE(told_.empty()) << told_[0];
}

TEST_F(SessionStoreTest, RoomOfDeletedSessionsIsGivenBackALittleAtATime) {
  ASSERT_TRUE(store_->Create(SessionKey{"a"}, Created()).ok());
  for (int64_t chunk = 0; chunk < 200; ++chunk) {
    store_->PutChunk(SessionKey{"a"}, chunk, Latents(16, {.frames = 3, .height = 16, .width = 16}));
  }
  WriteAll();
  const auto file_bytes = [this] {
    store_ = nullptr;
    const auto bytes = std::filesystem::file_size(directory_ + "/sessions-1.db");
    Open();
    return bytes;
  };
  const auto full = file_bytes();
  ASSERT_GT(full, 200u * 48 * 1024);
  ASSERT_TRUE(store_->Delete("a").ok());
  const auto deleted = file_bytes();
  EXPECT_GT(deleted, full - (2 << 20)) << "not at once";
  Rest(20);
  EXPECT_LT(file_bytes(), 6u << 20) << "but for some that the next sessions take";
}

TEST_F(SessionStoreTest, BytesThatAreNoRecordAreRefused) {
  for (int64_t kind = 0; kind < 12; ++kind) {
    EXPECT_FALSE(DecodeRecord(kind, "\xff\xff\xff").ok()) << kind;
  }
  RecordBytes huge = EncodeRecord(ChunkSettled{
      .chunk = 0,
      .latents = {.channels = 1 << 20, .grid = {.frames = 1, .height = 1, .width = 1}}});
  EXPECT_FALSE(DecodeRecord(huge.kind, huge.body).ok());
}

}  // namespace
}  // namespace longtake
