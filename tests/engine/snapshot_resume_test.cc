// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Snapshots of sessions: when they are made, what they cost, and that a session that goes on from
// one makes what it would have made.
#include "base/error_reason.h"
#include "engine/serve/making_room.h"
#include "engine/serve/snapshots.h"
#include "tests/engine/resume_fixture.h"

namespace longtake {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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

// Nothing is made again then, so the very next chunk is a new one.
TEST_F(SnapshotResumeTest, AnEventForTheChunkOfASnapshotHoldsThere) {
  const auto session = Create(Endless(), "one");
  RunUntilIdle();  // until its outbox is full
  const int64_t chunk = store_->Sessions().back().chunks;
  ASSERT_EQ(Chunks("one")[0], chunk);
  Submit(session, {.kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 12 * chunk - 3});
  Begin();
  EXPECT_EQ(ReadSome("one", chunk, 2).size(), 2u);
  EXPECT_EQ(report_.snapshot, chunk);
  EXPECT_EQ(store_->Load("one")->events[0].applied_chunk, chunk);
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
  engine_->Drain(INT64_MAX);  // as a server that ends
  EXPECT_FALSE(engine_->at_rest());
  while (!engine_->at_rest()) {
    engine_->Step();
    store_->Step();
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

TEST_F(ResumeTest, AnEndDoesNotWaitForAChunkThatComesTooLate) {
  predict_sweep_ = [](const SweepLoad&) { return SweepTime{.seconds = 10}; };
  constexpr int64_t kSecond = 1'000'000'000;
  for (const bool in_time : {false, true}) {
    Begin();
    const std::string id = in_time ? "in-time" : "late";
    Create(Endless(), id);
    const uint64_t steps = (*engine_->FindSession(id))->spec().steps.size();
    ASSERT_GT(steps, 2u);
    // Into the second chunk; what follows takes ten seconds for each step that is left.
    while (engine_->stats().transformer_sweeps < steps + 1) {
      engine_->Step();
      store_->Step();
    }
    const auto seconds = static_cast<int64_t>(10 * (steps - 1));
    engine_->Drain(engine_.clock().MonotonicNanos() + (seconds + (in_time ? 1 : -1)) * kSecond);
    while (!engine_->at_rest()) {
      engine_->Step();
      store_->Step();
    }
    EXPECT_EQ(engine_->stats().transformer_sweeps, in_time ? 2 * steps : steps + 1) << id;
  }
}

TEST_F(ResumeTest, SnapshotsThatFindNoRoomAreCountedAndToldOfOnce) {
  resume_seconds_max_ = 0;
  session_bytes_max_ = 60'000;  // enough for records
  Begin();
  Create(Endless(), "one");
  ReadSome("one", 0, 6);
  EXPECT_LE(store_->stats().snapshots.snapshots, 1u) << "the first chunk's has no K/V yet";
  EXPECT_EQ(store_->stats().broken_off, 0);
  EXPECT_GT(engine_->stats().snapshots_refused, 1u);
  EXPECT_THAT(refused_, ElementsAre(HasSubstr("one: a snapshot of ")));
}

// Nothing of K/V is in memory twice: a frame may be larger than all that may wait for the disk.
TEST_F(SnapshotResumeTest, AFrameNeedNotFitWhatMayWait) {
  waiting_bytes_max_ = 18'000;  // half of it is for gaps, the other enough for records
  Begin();
  Create(Endless(), "one");
  const std::vector<std::string> all = ReadSome("one", 0, 8);
  EXPECT_GT(store_->stats().snapshots.snapshots, 3u);
  EXPECT_EQ(engine_->stats().snapshots_refused, 0u);
  const auto found = store_->LoadSnapshots("one");
  ASSERT_TRUE(found.ok());
  const SnapshotPlaces places = *DecodePlaces(found->rows[0].body);
  for (const auto& [name, place] : places.kv) {
    EXPECT_GT(place.extent.bytes, waiting_bytes_max_);
  }
  Begin();
  EXPECT_EQ(ReadSome("one", 7, 1), From(all, 7));
  EXPECT_GT(report_.snapshot, 5);
}

// The session goes on while its snapshot is written, turn by turn: its window has moved on wholly
// before the store has had a turn for each frame.
class MovingOnTest : public SnapshotResumeTest {
 protected:
  MovingOnTest() {
    snapshot_turn_bytes_ = 1;  // a piece a turn
    spec_.key_plan = {.kind = KeyPlanKind::kWindow, .window_frames = 6, .sink_frames = 0};
  }
  std::vector<std::string> Run(size_t chunks, const std::function<bool()>& until) {
    const auto session = Create(spec_, "one");
    const uint64_t reader = *session->Attach(0, nullptr);
    Received received;
    for (int turn = 0; received.chunks.size() < chunks || !until(); ++turn) {
      LT_CHECK(turn < 1000);
      for (int i = 0; i < 12; ++i) engine_->Step();
      store_->Step();
      PollAll(*session, reader, &received);
    }
    return received.Digests();
  }
  SessionSpec spec_ = Endless();
};

TEST_F(MovingOnTest, ASnapshotIsOfItsChunkAllTheSame) {
  Begin();
  const auto all = Run(14, [this] { return store_->stats().snapshots.snapshots >= 2; });
  EXPECT_EQ(store_->stats().snapshots.failures, 0u);
  EXPECT_EQ(engine_->stats().snapshots_refused, 0u);
  const int64_t newest = Chunks("one")[0];
  const auto first = static_cast<size_t>(newest);
  ASSERT_LT(first + 3, all.size()) << "it went on";
  Begin();
  EXPECT_EQ(ReadSome("one", newest, all.size() - first), From(all, first));
  EXPECT_EQ(report_.snapshot, newest);
}

// A re-cache makes the window's frames again before those of the last prompt are written: it waits
// for nobody, and what is written is of the prompt that held.
TEST_F(MovingOnTest, AlsoWhereEveryChunkMakesItsWindowAgain) {
  spec_.prompt_switch = PromptSwitch::kRecache;
  for (int64_t chunk = 1; chunk < 40; ++chunk) {
    const char* prompt = chunk % 2 == 0 ? "a red circle" : "a green triangle";
    spec_.prompt_changes.push_back({.frame = 12 * chunk - 3, .prompt = prompt});
  }
  Begin();
  const auto all = Run(14, [this] { return store_->stats().snapshots.snapshots >= 2; });
  EXPECT_EQ(store_->stats().snapshots.failures, 0u);
  const int64_t newest = Chunks("one")[0];
  const auto first = static_cast<size_t>(newest);
  ASSERT_LT(first + 3, all.size()) << "it went on";
  Begin();
  EXPECT_EQ(ReadSome("one", newest, all.size() - first), From(all, first));
  EXPECT_EQ(report_.snapshot, newest);
}

TEST_F(MovingOnTest, OrIsGivenUpWhereItsFramesFindNoRoom) {
  kv_bytes_max_ = engine_.Estimate(spec_)->kv_bytes;  // as much as the session itself needs
  Begin();
  const auto all = Run(14, [this] { return store_->stats().snapshots.failures >= 2; });
  EXPECT_EQ(store_->stats().broken_off, 0);
  Begin();
  EXPECT_EQ(ReadSome("one", 10, 4), From({all.begin(), all.begin() + 14}, 10));
}

TEST_F(SnapshotResumeTest, AParkedSessionHasLeftWhenItsSnapshotIsWritten) {
  snapshot_turn_bytes_ = 1;
  snapshot_bytes_per_hour_ = 1;
  Begin();
  Create(Endless(), "one");
  const std::vector<std::string> all = ReadSome("one", 0, 6);
  bool left = false;
  bool left_again = false;
  ASSERT_TRUE(engine_->Park("one", [&] { left = true; }).ok());
  ASSERT_TRUE(engine_->Park("one", [&] { left_again = true; }).ok());
  while (!left) {
    const bool written = store_->stats().snapshots.snapshots == 1;
    ASSERT_FALSE(left_again) << "whoever asks";
    engine_->Step();
    ASSERT_EQ(left, written);
    store_->Step();
  }
  EXPECT_TRUE(left_again);
  EXPECT_EQ(store_->stats().snapshots.snapshots, 1u);
  EXPECT_EQ(engine_->stats().kv_bytes, 0u);
  left = false;
  ASSERT_TRUE(engine_->Park("one", [&] { left = engine_->DeleteSession("one").ok(); }).ok());
  EXPECT_TRUE(left) << "it is parked already, and the call comes without locks";
}

// Two lives of it: one leaves, the other came meanwhile.
TEST_F(SnapshotResumeTest, AParkedSessionHasLeftWithAllOfItsLives) {
  snapshot_turn_bytes_ = 1;
  snapshot_bytes_per_hour_ = 1;
  Begin();
  Create(Endless(), "one");
  ReadSome("one", 0, 6);
  ASSERT_TRUE(engine_->Park("one").ok());
  ASSERT_TRUE(engine_->Wake("one", 6).ok());
  bool left = false;
  ASSERT_TRUE(engine_->Park("one", [&] { left = true; }).ok());
  while (!left) {
    ASSERT_GT(engine_->stats().kv_bytes, 0u);
    const bool swept = engine_->Step();
    ASSERT_TRUE(swept || store_->Step() || left);
  }
  EXPECT_EQ(engine_->stats().kv_bytes, 0u);
}

TEST_F(SnapshotResumeTest, WhoComesBackWhileItLeavesAsksAgainForItsLastSnapshot) {
  snapshot_turn_bytes_ = 1;
  snapshot_bytes_per_hour_ = 1;
  Begin();
  Create(Endless(), "one");
  const std::vector<std::string> all = ReadSome("one", 0, 8);
  for (const bool patient : {true, false}) {
    ASSERT_TRUE(engine_->Park("one").ok());
    int64_t asks_until_nanos = engine_.clock().MonotonicNanos() + kRoomNanos;
    absl::StatusOr<std::shared_ptr<Session>> session = absl::UnknownError("");
    int asked = 0;
    while (!session.ok()) {
      session = engine_->Wake("one", 4, {.asks_until_nanos = asks_until_nanos});
      ASSERT_TRUE(session.ok() || IsMakingRoom(session.status())) << session.status();
      if (++asked > 1 && !patient) engine_.clock().Advance(kRoomNanos);
      engine_->Step();
      store_->Step();
    }
    EXPECT_GT(asked, 2);
    EXPECT_GT(report_.snapshot, 0);
    EXPECT_EQ(ReadSome("one", 4, 4), From(all, 4));
  }
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
