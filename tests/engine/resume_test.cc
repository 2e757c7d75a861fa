// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions that come back from the store, through an engine. That every policy comes back with its
// bits, however often its process is killed, is longtake_take_digests --resumed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/serve/snapshots.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ResumeTest : public testing::Test {
 protected:
  ResumeTest() { Begin(); }
  ~ResumeTest() override {
    store_->Stop();
    engine_.Stop();
  }

  // Another process with the same directory: of the one before nothing is left but its commits, and
  // what somebody did to its database.
  void Begin(const std::string& sql = "") {
    if (store_ != nullptr) store_->Stop();
    engine_.Stop();
    store_ = nullptr;
    if (!sql.empty()) Execute(sql);
    auto store = SessionStore::Open({.files = &PosixFileSystem(),
                                     .directory = scratch_.directory() + "/state",
                                     .holder = "the test",
                                     .retention_nanos = kRetentionNanos,
                                     .waiting_bytes_max = waiting_bytes_max_},
                                    engine_.clock());
    LT_CHECK(store.ok());
    store_ = *std::move(store);
    EngineOptions options = EngineSetup().engine;
    options.store = store_.get();
    options.resume_seconds_max = resume_seconds_max_;
    options.snapshot_bytes_per_hour = snapshot_bytes_per_hour_;
    options.on_resume = [this](const ResumeReport& report) { report_ = report; };
    options.on_snapshot_refused = [this](const std::string& id, const absl::Status& why) {
      refused_.push_back(absl::StrCat(id, ": ", why.message()));
    };
    LT_CHECK(engine_.Renew(options).ok());
  }
  void Execute(const std::string& sql) const {
    sqlite3* database = nullptr;
    LT_CHECK(sqlite3_open((scratch_.directory() + "/state/sessions-1.db").c_str(), &database) ==
             SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sql;
    EXPECT_GT(sqlite3_changes(database), 0) << sql;
    sqlite3_close(database);
  }
  void RunUntilIdle() {
    while (engine_->Step() || engine_->Step() || store_->Step()) {
    }
  }
  std::shared_ptr<Session> Create(const SessionSpec& spec, const std::string& id) {
    return *engine_.CreateSession(spec, id);
  }
  static SessionSpec Spec(int64_t chunks) {
    return SmallSpec("a red circle moving to the right", 42, 12 * chunks - 3);
  }
  static SessionSpec Endless() {
    return SmallSpec("a red circle moving to the right", 42, /*frame_count=*/0);
  }
  // All that a client gets from this chunk on until the session waits or ends.
  Received Read(const std::string& id, int64_t next_chunk) {
    Received received;
    const auto session = engine_->Wake(id, next_chunk);
    if (!session.ok()) {
      received.end = session.status();
      return received;
    }
    const uint64_t reader = *(*session)->Attach(next_chunk, nullptr);
    for (;;) {
      RunUntilIdle();
      const size_t before = received.chunks.size();
      PollAll(**session, reader, &received);
      if (received.end.has_value() || received.chunks.size() == before) break;
    }
    (*session)->Detach(reader);
    return received;
  }
  // Of one that is never over: so many chunks from this one on.
  std::vector<std::string> ReadSome(const std::string& id, int64_t next_chunk, size_t count) {
    Received received;
    const auto session = *engine_->Wake(id, next_chunk);
    const uint64_t reader = *session->Attach(next_chunk, nullptr);
    while (received.chunks.size() < count) {
      if (!engine_->Step() && !engine_->Step() && !store_->Step()) break;
      store_->Step();
      PollAll(*session, reader, &received);
    }
    session->Detach(reader);
    std::vector<std::string> digests = received.Digests();
    digests.resize(std::min(digests.size(), count));
    return digests;
  }
  void Submit(const std::shared_ptr<Session>& session, const SessionEvent& event) {
    bool accepted = false;
    engine_->Submit(session, event, {}, [&](const absl::StatusOr<EventAccepted>& answer) {
      accepted = answer.ok() && answer->durable;
    });
    EXPECT_FALSE(accepted) << "before it is on disk";
    while (store_->Step()) {
    }
    EXPECT_TRUE(accepted);
  }
  static std::vector<std::string> From(const std::vector<std::string>& digests, size_t first) {
    return {digests.begin() + static_cast<ptrdiff_t>(first), digests.end()};
  }

  static constexpr int64_t kRetentionNanos = 3600LL * 1'000'000'000;
  const ScratchDirectory scratch_;
  double resume_seconds_max_ = 120;
  uint64_t snapshot_bytes_per_hour_ = uint64_t{32} << 30;
  uint64_t waiting_bytes_max_ = uint64_t{256} << 20;
  ResumeReport report_;               // the last one
  std::vector<std::string> refused_;  // snapshots
  TestEngine engine_;
  std::unique_ptr<SessionStore> store_;
};

// A snapshot at every boundary at which none is on its way.
class SnapshotResumeTest : public ResumeTest {
 protected:
  SnapshotResumeTest() {
    resume_seconds_max_ = 0;
    Begin();
  }
  std::vector<std::string> Files() const {
    return *PosixFileSystem().List(scratch_.directory() + "/state/bulk");
  }
  std::vector<int64_t> Chunks(const std::string& id) {
    auto found = store_->LoadSnapshots(id);
    LT_CHECK(found.ok());
    std::vector<int64_t> chunks;
    for (const SnapshotRow& row : found->rows) chunks.push_back(row.chunk);
    return chunks;
  }
};

TEST_F(ResumeTest, AnyChunkThatWasMadeCanBeReadAgain) {
  Create(Spec(6), "one");
  const std::vector<std::string> all = Read("one", 0).Digests();
  ASSERT_EQ(all.size(), 6u);
  for (int64_t first = 0; first <= 6; ++first) {
    Begin();
    const Received again = Read("one", first);
    EXPECT_EQ(again.Digests(), From(all, static_cast<size_t>(first))) << first;
    ASSERT_TRUE(again.end.has_value()) << first;
    EXPECT_TRUE(again.end->ok()) << *again.end;
    if (!again.chunks.empty()) {
      EXPECT_EQ(again.chunks[0]->index, first);
    }
  }
  Begin();
  EXPECT_EQ(ReasonFor(*Read("one", 7).end), Reason::kChunkNotHeld);
}

TEST_F(ResumeTest, WhatWasAcceptedComesToHoldAfterwards) {
  const auto session = Create(Spec(8), "one");
  Submit(session,
         {.kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 57, .control_id = 9});
  const std::vector<std::string> all = Read("one", 0).Digests();
  ASSERT_EQ(all.size(), 8u);
  // The same in a process that is killed before that frame.
  const auto other = Create(Spec(8), "two");
  Submit(other,
         {.kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 57, .control_id = 9});
  Begin();
  const Received again = Read("two", 0);
  EXPECT_EQ(again.Digests(), all);
  EXPECT_THAT(again.applied, ElementsAre(EventApplied{.sequence = 1, .chunk = 5, .control_id = 9}));
}

TEST_F(ResumeTest, AnEventForTheChunkItStoodBeforeHoldsThere) {
  const SessionEvent event = {
      .kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 45, .control_id = 9};
  Submit(Create(Spec(8), "one"), event);
  const std::vector<std::string> all = Read("one", 0).Digests();
  // Killed with four chunks made, before it had taken the event.
  const auto other = Create(Spec(8), "two");
  while (store_->Sessions().back().chunks < 4) {
    engine_->Step();
    store_->Step();
  }
  ASSERT_EQ(store_->Sessions().back().chunks, 4);
  Submit(other, event);
  Begin();
  const Received again = Read("two", 2);
  EXPECT_EQ(again.Digests(), From(all, 2));
  EXPECT_THAT(again.applied, ElementsAre(EventApplied{.sequence = 1, .chunk = 4, .control_id = 9}));
}

TEST_F(ResumeTest, PromptsOfItsSpecAndOfItsClientKeepTheirOrder) {
  SessionSpec spec = Endless();
  spec.prompt_changes = {{.frame = 69, .prompt = "a green triangle"}};
  const SessionEvent event = {.kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 21};
  Submit(Create(spec, "one"), event);
  const std::vector<std::string> all = ReadSome("one", 0, 8);
  ASSERT_EQ(all.size(), 8u);
  for (const int64_t first : {1, 4, 7}) {  // it is not over, so all of it is replayed
    Begin();
    EXPECT_EQ(ReadSome("one", first, 8 - static_cast<size_t>(first)),
              From(all, static_cast<size_t>(first)))
        << first;
  }
}

TEST_F(ResumeTest, APausedSessionComesBackPaused) {
  SessionSpec spec = Spec(8);
  const auto session = Create(spec, "one");
  const Received first = Read("one", 0);
  const std::vector<std::string> all = first.Digests();
  const auto other = Create(spec, "two");
  Submit(other, {.kind = EventKind::kPause, .frame = 21});
  EXPECT_EQ(Read("two", 0).chunks.size(), 2u);
  Begin();
  const Received again = Read("two", 0);
  EXPECT_EQ(again.Digests(), (std::vector<std::string>{all[0], all[1]}));
  EXPECT_FALSE(again.end.has_value());
  const auto woken = *engine_->Wake("two", 2);
  EXPECT_EQ(woken->Info().state, SessionState::kPaused);
  Submit(woken, {.kind = EventKind::kResume});
  EXPECT_EQ(Read("two", 2).Digests(), From(all, 2));
}

TEST_F(ResumeTest, AForkGoesItsOwnWay) {
  const auto session = Create(Spec(8), "one");
  const std::vector<std::string> all = Read("one", 0).Digests();
  ASSERT_TRUE(engine_->Fork("one", {.id = "fork", .chunk = 4, .ended = false}).ok());
  EXPECT_EQ(ReasonFor(engine_->Fork("one", {.id = "fork", .chunk = 4, .ended = false}).status()),
            Reason::kSessionExists);
  EXPECT_EQ(ReasonFor(engine_->Fork("one", {.id = "late", .chunk = 9, .ended = false}).status()),
            Reason::kChunkNotHeld);
  EXPECT_EQ(ReasonFor(engine_->Fork("none", {.id = "x", .chunk = 0, .ended = false}).status()),
            Reason::kSessionNotFound);
  EXPECT_EQ(engine_->Describe("fork")->chunk_count, 4);
  // Unasked it makes the same; its parent may go.
  EXPECT_EQ(Read("fork", 0).Digests(), all);
  ASSERT_TRUE(engine_->Fork("one", {.id = "other", .chunk = 4, .ended = false}).ok());
  ASSERT_TRUE(engine_->DeleteSession("one").ok());
  Begin();
  EXPECT_EQ(ReasonFor(engine_->Describe("one").status()), Reason::kSessionNotFound);
  const auto other = *engine_->Wake("other", 2);
  Submit(other, {.kind = EventKind::kPrompt, .prompt = "a blue square"});
  const std::vector<std::string> changed = Read("other", 2).Digests();
  ASSERT_EQ(changed.size(), 6u);
  EXPECT_EQ(changed[0], all[2]);
  EXPECT_EQ(changed[1], all[3]);
  EXPECT_NE(changed[5], all[7]);
  // With the last fork the parent's rows go, too.
  ASSERT_TRUE(engine_->DeleteSession("fork").ok());
  ASSERT_TRUE(engine_->DeleteSession("other").ok());
  RunUntilIdle();
  EXPECT_EQ(store_->stats().bytes, 0u);
  // A row is changed when there is none of theirs left.
  Begin(
      "CREATE TABLE seen(a); INSERT INTO seen SELECT 1 WHERE NOT EXISTS (SELECT * FROM sessions)"
      " AND NOT EXISTS (SELECT * FROM records) AND NOT EXISTS (SELECT * FROM latents)");
}

TEST_F(ResumeTest, AForkMayBeSentAsAnotherKindOfMedia) {
  Create(Spec(4), "one");
  const std::vector<std::string> all = Read("one", 0).Digests();
  ASSERT_TRUE(
      engine_->Fork("one", {.id = "rgb", .chunk = 4, .media_kind = MediaKind::kRgb24}).ok());
  EXPECT_EQ(engine_->Describe("rgb")->spec.media_kind, MediaKind::kRgb24);
  EXPECT_EQ(Read("rgb", 0).Digests(), all);
}

TEST_F(ResumeTest, AForkThatEndedOnlyShowsAgainAndSweepsNothing) {
  Create(Spec(6), "one");
  const std::vector<std::string> all = Read("one", 0).Digests();
  Begin();
  ASSERT_TRUE(engine_->Fork("one", {.id = "again", .chunk = 4, .ended = true}).ok());
  const Received again = Read("again", 1);
  EXPECT_EQ(again.Digests(), (std::vector<std::string>{all[1], all[2], all[3]}));
  ASSERT_TRUE(again.end.has_value());
  EXPECT_TRUE(again.end->ok());
  EXPECT_EQ(engine_->stats().transformer_sweeps, 0u);
  EXPECT_EQ(engine_->stats().text_sweeps, 0u);
}

TEST_F(ResumeTest, ARewoundSessionForgetsWhatCameAfter) {
  const auto session = Create(Spec(8), "one");
  Submit(session,
         {.kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 57, .control_id = 9});
  const std::vector<std::string> changed = Read("one", 0).Digests();
  EXPECT_EQ(ReasonFor(engine_->Rewind("one", 9)), Reason::kChunkNotHeld);
  ASSERT_TRUE(engine_->Rewind("one", 3).ok());
  EXPECT_EQ(ReasonFor(session->end_status()), Reason::kSessionParked);
  EXPECT_EQ(engine_->Describe("one")->epoch, 1);
  EXPECT_EQ(engine_->Describe("one")->chunk_count, 3);
  const Received again = Read("one", 1);
  ASSERT_EQ(again.chunks.size(), 7u);
  EXPECT_EQ(again.Digests()[3], changed[4]);
  EXPECT_NE(again.Digests()[4], changed[5]) << "the prompt was withdrawn";
  // Numbers go on, and so does the new epoch in another process.
  Begin();
  EXPECT_EQ(Read("one", 1).Digests(), again.Digests());
  const auto woken = *engine_->Wake("one", 8);
  EXPECT_EQ(woken->Info().epoch, 1);
}

TEST_F(ResumeTest, ASessionWhoseTtlIsOverIsParkedAndForgottenLater) {
  SessionSpec spec = Spec(6);
  spec.ttl_nanos = 1'000'000'000;
  Create(spec, "one");
  const std::vector<std::string> all = Read("one", 0).Digests();
  engine_.clock().Advance(2'000'000'000);
  RunUntilIdle();
  EXPECT_FALSE(engine_->FindSession("one").ok());
  const auto parked = engine_->Describe("one");
  ASSERT_TRUE(parked.ok()) << parked.status();
  EXPECT_EQ(parked->expire_wall_nanos, engine_.clock().WallNanos() + kRetentionNanos);
  EXPECT_EQ(engine_->Names().size(), 1u);
  // Whoever comes in time finds it.
  engine_.clock().Advance(kRetentionNanos - 1'000'000'000);
  RunUntilIdle();
  EXPECT_EQ(Read("one", 5).Digests(), From(all, 5));
  engine_.clock().Advance(2'000'000'000);
  RunUntilIdle();
  engine_.clock().Advance(kRetentionNanos + 60LL * 1'000'000'000);
  RunUntilIdle();
  EXPECT_EQ(ReasonFor(engine_->Describe("one").status()), Reason::kSessionNotFound);
  EXPECT_TRUE(engine_->Names().empty());
}

TEST_F(ResumeTest, WhoAsksAgainForASessionThatIsParkedGetsIt) {
  Create(Spec(4), "one");
  const std::vector<std::string> all = Read("one", 0).Digests();
  Begin();
  const auto resolved = *engine_->Resolve(Spec(4));
  const auto again = engine_->CreateSession(resolved, "one");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->is_new);
  EXPECT_EQ(Read("one", 0).Digests(), all);
  EXPECT_EQ(ReasonFor(engine_->CreateSession(*engine_->Resolve(Spec(5)), "one").status()),
            Reason::kSessionExists);
}

TEST_F(ResumeTest, ALatentThatIsDamagedEndsItsSessionAlone) {
  Create(Spec(4), "hurt");
  Create(Spec(4), "sound");
  const std::vector<std::string> all = Read("sound", 0).Digests();
  Read("hurt", 0);
  Begin("UPDATE latents SET body=zeroblob(length(body)) WHERE session=1 AND record>3");
  const Received hurt = Read("hurt", 0);
  ASSERT_TRUE(hurt.end.has_value());
  EXPECT_EQ(ReasonFor(*hurt.end), Reason::kSessionCorrupt) << *hurt.end;
  EXPECT_EQ(Read("sound", 0).Digests(), all);
}

TEST_F(ResumeTest, AnotherModelsSessionIsToldOfAndNotGoneOnWith) {
  Create(Spec(4), "one");
  Read("one", 0);
  Begin();
  const std::string digest = engine_.model().digest();
  engine_.Stop();
  const ScratchPack pack(SmallRecipe("rolling-sink"));
  EngineSetup setup;
  setup.pack = pack.directory();
  TestEngine other(setup);
  EngineOptions options = EngineSetup().engine;
  options.store = store_.get();
  ASSERT_TRUE(other.Renew(options).ok());
  EXPECT_EQ(other->Describe("one")->model_digest, digest);
  EXPECT_EQ(ReasonFor(other->Wake("one", 0).status()), Reason::kModelDiffers);
  EXPECT_TRUE(other->DeleteSession("one").ok());
  other.Stop();
}

TEST_F(ResumeTest, WithoutAStoreNothingIsParkedForkedOrRewound) {
  engine_.Stop();
  ASSERT_TRUE(engine_.Renew(EngineSetup().engine).ok());
  Create(Spec(4), "one");
  EXPECT_EQ(ReasonFor(engine_->Park("one")), Reason::kNoStore);
  EXPECT_EQ(ReasonFor(engine_->Rewind("one", 0)), Reason::kNoStore);
  EXPECT_EQ(ReasonFor(engine_->Fork("one", {.id = "", .chunk = 0, .ended = false}).status()),
            Reason::kNoStore);
  EXPECT_TRUE(engine_->Wake("one", 0).ok());
}

TEST_F(SnapshotResumeTest, ASessionGoesOnFromItsNewestSnapshot) {
  Create(Endless(), "one");
  const std::vector<std::string> all = ReadSome("one", 0, 12);
  ASSERT_EQ(all.size(), 12u);
  const std::vector<int64_t> chunks = Chunks("one");
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_GE(chunks[0], 10);
  EXPECT_GT(store_->stats().snapshots.snapshots, 5u);
  // Whatever its client has already, and beyond what the snapshot has.
  for (const int64_t first : {0, 5, 11}) {
    Begin();
    const auto session = *engine_->Wake("one", first);
    EXPECT_EQ(report_.snapshot, Chunks("one")[0]);
    EXPECT_GE(report_.chunk, report_.snapshot);
    EXPECT_TRUE(report_.damaged.empty());
    const auto again = ReadSome("one", first, all.size() - static_cast<size_t>(first));
    EXPECT_EQ(again, From(all, static_cast<size_t>(first))) << first;
  }
  Begin();
  const auto session = *engine_->Wake("one", report_.chunk);
  EXPECT_EQ(engine_->stats().transformer_sweeps, 0u);
  for (int i = 0; i < 20; ++i) engine_->Step();
  EXPECT_LT(engine_->stats().transformer_sweeps, 20u);
}

TEST_F(SnapshotResumeTest, WhatIsDamagedIsNamedAndAnOlderOneIsTaken) {
  Create(Endless(), "one");
  const std::vector<std::string> all = ReadSome("one", 0, 12);
  resume_seconds_max_ = 1e9;  // no more of them
  const std::vector<int64_t> chunks = Chunks("one");
  const std::vector<std::string> files = Files();
  Begin("UPDATE snapshots SET body=zeroblob(length(body)) WHERE chunk=" +
        std::to_string(chunks[0]));
  EXPECT_EQ(ReadSome("one", 8, 4), From(all, 8));
  EXPECT_EQ(report_.snapshot, chunks[1]);
  EXPECT_THAT(report_.damaged, ElementsAre(HasSubstr(std::to_string(chunks[0]))));
  // Without any file everything is made again.
  Begin();
  for (const std::string& file : Files()) {
    std::filesystem::resize_file(scratch_.directory() + "/state/bulk/" + file, 100);
  }
  EXPECT_EQ(ReadSome("one", 8, 4), From(all, 8));
  EXPECT_EQ(report_.snapshot, 0);
  EXPECT_THAT(report_.damaged, testing::SizeIs(2));
  EXPECT_THAT(report_.damaged, testing::Contains(HasSubstr("bulk")));
}

TEST_F(SnapshotResumeTest, ForksAndRewindsGoOnFromThoseThatLieOnTheirWay) {
  Create(Endless(), "one");
  const std::vector<std::string> all = ReadSome("one", 0, 12);
  const std::vector<int64_t> chunks = Chunks("one");
  ASSERT_TRUE(engine_->Fork("one", {.id = "late", .chunk = chunks[0]}).ok());
  ASSERT_TRUE(engine_->Fork("one", {.id = "early", .chunk = chunks[1]}).ok());
  ASSERT_TRUE(engine_->Rewind("one", chunks[1]).ok());
  EXPECT_THAT(Chunks("one"), ElementsAre(chunks[1]));
  ASSERT_TRUE(engine_->Wake("late", 0).ok());
  EXPECT_EQ(report_.snapshot, chunks[0]);
  EXPECT_EQ(ReadSome("late", 0, 12), all);
  ASSERT_TRUE(engine_->Wake("early", 0).ok());
  EXPECT_EQ(report_.snapshot, chunks[1]);
  EXPECT_EQ(ReadSome("early", 0, 12), all);
  // Under another prompt its way is another from there on.
  const auto rewound = *engine_->Wake("one", chunks[1]);
  EXPECT_EQ(report_.snapshot, chunks[1]);
  Submit(rewound, {.kind = EventKind::kPrompt, .prompt = "a blue square"});
  const auto changed = ReadSome("one", chunks[1], 4);
  Begin();
  EXPECT_EQ(ReadSome("one", chunks[1], 4), changed);
  EXPECT_GT(report_.snapshot, chunks[1]);
  for (const char* id : {"one", "early", "late"}) ASSERT_TRUE(engine_->DeleteSession(id).ok());
  RunUntilIdle();
  EXPECT_TRUE(Files().empty());
}

// The window's frames are the same ones with other K/V than in the snapshots before.
TEST_F(SnapshotResumeTest, ARecacheIsWrittenAnew) {
  SessionSpec spec = Endless();
  spec.key_plan = {.kind = KeyPlanKind::kWindow, .window_frames = 12, .sink_frames = 3};
  spec.prompt_switch = PromptSwitch::kRecacheAndSink;
  const auto session = Create(spec, "one");
  Submit(session, {.kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 57});
  ReadSome("one", 0, 6);
  ASSERT_EQ(Chunks("one")[0], 6) << "right after the chunk with the prompt";
  // One goes on from there and another, which has no snapshot, makes all of it again.
  ASSERT_TRUE(engine_->Fork("one", {.id = "again", .chunk = 6}).ok());
  Begin("DELETE FROM snapshots WHERE session=2");
  const std::vector<std::string> made = ReadSome("one", 6, 4);
  EXPECT_EQ(report_.snapshot, 6);
  EXPECT_EQ(ReadSome("again", 6, 4), made);
  EXPECT_EQ(report_.snapshot, 0);
}

TEST_F(ResumeTest, ASessionThatLeavesMemoryIsWrittenDownWhereThatIsWorthIt) {
  Create(Endless(), "one");
  ReadSome("one", 0, 4);
  ASSERT_TRUE(engine_->Park("one").ok());
  RunUntilIdle();
  EXPECT_TRUE(store_->LoadSnapshots("one")->rows.empty()) << "it takes no time to come back";
  resume_seconds_max_ = 0;
  Begin();
  snapshot_bytes_per_hour_ = 1;  // no more than those that leave
  Begin();
  ReadSome("one", 0, 6);
  EXPECT_EQ(store_->stats().snapshots.snapshots, 0u);
  ASSERT_TRUE(engine_->Park("one").ok());
  RunUntilIdle();
  EXPECT_EQ(store_->stats().snapshots.snapshots, 1u);
  ReadSome("one", 6, 6);
  EXPECT_THAT(report_.damaged, testing::IsEmpty());
  EXPECT_GT(report_.snapshot, 0);
  const int64_t parked = report_.snapshot;
  engine_.Stop();  // as a server that ends
  while (store_->Step()) {
  }
  EXPECT_EQ(store_->stats().snapshots.snapshots, 2u);
  Begin();
  ASSERT_TRUE(engine_->Wake("one", 12).ok());
  EXPECT_GT(report_.snapshot, parked);
  snapshot_bytes_per_hour_ = 0;
  Begin();
  ReadSome("one", 12, 2);
  ASSERT_TRUE(engine_->Park("one").ok());
  RunUntilIdle();
  EXPECT_EQ(store_->stats().snapshots.snapshots, 0u) << "none are wanted";
}

TEST_F(ResumeTest, SnapshotsThatFindNoRoomAreCountedAndToldOfOnce) {
  resume_seconds_max_ = 0;
  waiting_bytes_max_ = 20'000;  // enough for records
  Begin();
  Create(Endless(), "one");
  ReadSome("one", 0, 6);
  EXPECT_LE(store_->stats().snapshots.snapshots, 1u) << "the first chunk's has no K/V yet";
  EXPECT_EQ(store_->stats().broken_off, 0);
  EXPECT_GT(engine_->stats().snapshots_refused, 1u);
  EXPECT_THAT(refused_, ElementsAre(HasSubstr("one: a snapshot of ")));
}

TEST(HourlyBytesTest, TheBytesOfTheLastHourAreLimited) {
  constexpr int64_t kMinute = 60LL * 1'000'000'000;
  HourlyBytes hour(100);
  EXPECT_FALSE(hour.HasRoom(101, 0));
  hour.Take(60, 0);
  hour.Take(40, 30 * kMinute);
  EXPECT_FALSE(hour.HasRoom(1, 59 * kMinute));
  EXPECT_TRUE(hour.HasRoom(60, 60 * kMinute));
  EXPECT_FALSE(hour.HasRoom(61, 60 * kMinute));
}

}  // namespace
}  // namespace longtake
