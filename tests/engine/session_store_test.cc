// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The store by itself: what was handed over is there after it is opened again, in its order, and
// what was damaged on disk is named and never used.
#include "engine/store/session_store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>

#include "base/error_reason.h"
#include "engine/store/record.h"

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
        {.files = &PosixFileSystem(), .directory = directory_, .holder = "the test"}, clock_);
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
            .create_wall_nanos = 3};
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

TEST_F(SessionStoreTest, ADeletedSessionTakesNoRecords) {
  MakeSession("a");
  ASSERT_TRUE(store_->Delete("a").ok());
  bool durable = true;
  store_->PutChunk(SessionKey{"a"}, 2, SomeLatents(1), [&](bool is) { durable = is; });
  WriteAll();
  EXPECT_FALSE(durable);
  EXPECT_TRUE(store_->stats().queue.durable);
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

TEST_F(SessionStoreTest, BytesThatAreNoRecordAreRefused) {
  for (int64_t kind = 0; kind < 9; ++kind) {
    EXPECT_FALSE(DecodeRecord(kind, "\xff\xff\xff").ok()) << kind;
  }
  RecordBytes huge = EncodeRecord(ChunkSettled{
      .chunk = 0,
      .latents = {.channels = 1 << 20, .grid = {.frames = 1, .height = 1, .width = 1}}});
  EXPECT_FALSE(DecodeRecord(huge.kind, huge.body).ok());
}

}  // namespace
}  // namespace longtake
