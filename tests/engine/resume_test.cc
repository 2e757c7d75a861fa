// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions that come back from the store, through an engine. That every policy comes back with its
// bits, however often its process is killed, is longtake_take_digests --resumed.
#include "base/error_reason.h"
#include "engine/serve/making_room.h"
#include "engine/store/store_limits.h"
#include "tests/engine/resume_fixture.h"

namespace longtake {
namespace {

using testing::ElementsAre;

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
  const auto refusal = ReasonOf(*Read("one", 7).end);
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->reason, Reason::kChunkNotHeld);
  EXPECT_EQ(refusal->metadata.at("durable_through"), "6");
  EXPECT_EQ(refusal->metadata.at("epoch"), "0");
}

// While it comes back for one client another one may want a later chunk: it was made, so it comes.
TEST_F(ResumeTest, AnyChunkThatWasMadeCanBeWaitedFor) {
  Create(Spec(6), "one");
  const std::vector<std::string> all = Read("one", 0).Digests();
  for (int64_t first = 1; first <= 6; ++first) {
    Begin();
    const auto session = *engine_->Wake("one", 0);
    ASSERT_TRUE(session->Attach(0, nullptr).ok());
    EXPECT_EQ(*engine_->Wake("one", first), session);
    ASSERT_TRUE(session->CheckAttach(first).ok());
    EXPECT_EQ(Read("one", first).Digests(), From(all, static_cast<size_t>(first))) << first;
    const auto refusal = ReasonOf(session->Attach(7, nullptr).status());
    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal->reason, Reason::kChunkNotHeld);
    EXPECT_EQ(refusal->metadata.at("next_chunk"), "6");
    EXPECT_EQ(refusal->metadata.at("durable_through"), "6");
    EXPECT_EQ(refusal->metadata.at("epoch"), "0");
  }
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

TEST_F(ResumeTest, StartFramesThatCameNeedNotComeAgain) {
  SessionSpec spec = Spec(4);
  spec.start_frames = 9;
  std::string clip;
  for (int i = 0; i < 9 * 48 * 32 * 3; ++i) clip.push_back(static_cast<char>(i * i % 251));
  ASSERT_TRUE(Create(spec, "one")->PutStart(0, 0, clip).ok());
  const std::vector<std::string> all = Read("one", 0).Digests();
  ASSERT_EQ(all.size(), 4u);
  // Killed when half of them had come, then when all had and none was a latent yet.
  const auto put = [&](Session& session, size_t begin, size_t end) {
    bool recorded = false;
    EXPECT_TRUE(session
                    .PutStart(0, static_cast<int64_t>(begin), clip.substr(begin, end - begin),
                              [&](const absl::Status& status) { recorded = status.ok(); })
                    .ok());
    while (store_->Step()) {
    }
    EXPECT_TRUE(recorded);
    EXPECT_EQ(session.Info().start_bytes, end);
  };
  put(*Create(spec, "two"), 0, 20'000);
  Begin();
  EXPECT_EQ(engine_->Describe("two")->start_bytes, 20'000u);
  put(**engine_->Wake("two", 0), 20'000, clip.size());
  Begin();
  EXPECT_EQ(engine_->Describe("two")->start_bytes, clip.size());
  EXPECT_EQ((*engine_->Wake("two", 0))->Info().start_bytes, clip.size());
  EXPECT_EQ(Read("two", 0).Digests(), all);
  ASSERT_TRUE(engine_->Park("two").ok());
  EXPECT_EQ(engine_->Describe("two")->start_bytes, clip.size());
  // Parked, as if others needed its memory.
  put(*Create(spec, "three"), 0, clip.size());
  ASSERT_TRUE(engine_->Park("three").ok());
  EXPECT_EQ(Read("three", 0).Digests(), all);
}

TEST_F(ResumeTest, StartFramesThatAreLatentsHaveAllArrived) {
  SessionSpec spec = Spec(4);
  spec.start_frames = 9;
  const auto session = Create(spec, "one");
  const std::string clip(session->spec().start_bytes(), 'x');
  ASSERT_TRUE(session->PutStart(0, 0, clip).ok());
  while (!session->Info().start_bytes) store_->Step();
  // As if it were killed between the encoder and the first chunk.
  ASSERT_TRUE(store_->Create(SessionKey{"two"}, store_->Load("one")->created).ok());
  store_->PutStart(SessionKey{"two"}, Latents(16, {.frames = 3, .height = 4, .width = 6}));
  while (store_->Step()) {
  }
  EXPECT_EQ(engine_->Describe("two")->start_bytes, clip.size());
}

// A fork before the first chunk begins with the same frames, or it is none.
TEST_F(ResumeTest, BeforeItsStartIsThereASessionCannotBeForked) {
  SessionSpec spec = Spec(4);
  spec.start_frames = 9;
  const auto session = Create(spec, "one");
  const std::string clip(session->spec().start_bytes(), 'x');
  const auto fork = [&](const std::string& id) {
    return engine_->Fork("one", {.id = id}).status();
  };
  EXPECT_EQ(ReasonFor(fork("two")), Reason::kChunkNotHeld);
  ASSERT_TRUE(session->PutStart(0, 0, clip).ok());
  while (store_->Step()) {
  }
  EXPECT_EQ(session->Info().start_bytes, clip.size());
  EXPECT_EQ(ReasonFor(fork("two")), Reason::kChunkNotHeld) << "they are no latents yet";
  const std::vector<std::string> all = Read("one", 0).Digests();
  ASSERT_EQ(all.size(), 4u);
  ASSERT_TRUE(fork("two").ok());
  EXPECT_EQ(engine_->Describe("two")->start_bytes, clip.size());
  EXPECT_EQ(Read("two", 0).Digests(), all);
}

// On a disk that takes its time: what the client heard of its end was written behind the chunk that
// it got before.
TEST_F(ResumeTest, WhoeverParksAtOnceFindsAllThatHeWasTold) {
  for (const bool rewinds : {false, true}) {
    const std::string id = rewinds ? "rewound" : "parked";
    const auto session = Create(Spec(4), id);
    const uint64_t reader = *session->Attach(0, nullptr);
    Received received;
    while (!received.end.has_value()) {
      if (store_->Sessions().back().chunks < 4) store_->Step();
      engine_->Step();
      PollAll(*session, reader, &received);
    }
    EXPECT_EQ(received.chunks.size(), 4u);
    ASSERT_TRUE(rewinds ? engine_->Rewind(id, 4).ok() : engine_->Park(id).ok());
    const auto info = engine_->Describe(id);
    EXPECT_EQ(info->chunk_count, 4);
    EXPECT_EQ(info->state, rewinds ? SessionState::kParked : SessionState::kEnded);
  }
}

TEST_F(ResumeTest, WhatWasAskedOfOneThatIsParkedAtOnceIsThere) {
  const auto session = Create(Endless(), "one");
  ReadSome("one", 0, 2);
  std::optional<absl::StatusOr<EventAccepted>> answer;
  engine_->Submit(session, {.kind = EventKind::kPause, .control_id = 7}, {},
                  [&](const absl::StatusOr<EventAccepted>& given) { answer = given; });
  ASSERT_FALSE(answer.has_value());
  ASSERT_TRUE(engine_->Park("one").ok());
  ASSERT_TRUE(answer.has_value() && answer->ok());
  EXPECT_TRUE((*answer)->durable);
  EXPECT_EQ(store_->Load("one")->events.size(), 1u);
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

// All that it came from is read with it, so there is an end to that; trying again would not help.
TEST_F(ResumeTest, AForkOfAForkHasItsLimit) {
  Create(Spec(2), "0");
  Read("0", 0);
  absl::Status forked;
  int generation = 0;
  for (; forked.ok() && generation < 100; ++generation) {
    forked =
        engine_->Fork(absl::StrCat(generation), {.id = absl::StrCat(generation + 1), .chunk = 1})
            .status();
  }
  EXPECT_EQ(generation, kForkGenerationsMax + 1);
  EXPECT_EQ(ReasonFor(forked), Reason::kSessionTooLarge) << forked;
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

TEST_F(SnapshotResumeTest, ARewindTellsItsPriceFirst) {
  Create(Endless(), "one");
  EXPECT_EQ(ReasonFor(engine_->ForeseeRewind("one", 1).status()), Reason::kChunkNotHeld);
  EXPECT_EQ(*engine_->ForeseeRewind("one", 0), 0.0) << "nothing to do again";
  ReadSome("one", 0, 12);
  predict_sweep_ = [](const SweepLoad&) { return SweepTime{.seconds = 2, .work_seconds = 2}; };
  Begin();
  const int64_t snapshot = Chunks("one").back();
  const auto price = [&](int64_t chunk) { return engine_->ForeseeRewind("one", chunk)->value(); };
  ASSERT_GT(snapshot, 4);
  EXPECT_GT(price(snapshot - 1), price(3)) << "from the beginning";
  EXPECT_LT(price(snapshot), price(snapshot - 1)) << "no sweep";
  EXPECT_LE(price(0), 1e-9);
  // As it is foreseen when it comes back.
  const double foreseen = price(snapshot - 1);
  ASSERT_TRUE(engine_->Rewind("one", snapshot - 1).ok());
  ASSERT_TRUE(engine_->Wake("one", snapshot - 1).ok());
  EXPECT_DOUBLE_EQ(report_.seconds.value_or(-1), foreseen);
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

// Nobody waits on a thread for the memory of one that is parked for it.
TEST_F(ResumeTest, AParkedSessionIsForgottenLater) {
  Create(Endless(), "one");
  ReadSome("one", 0, 2);
  EXPECT_EQ(engine_->Describe("one")->state, SessionState::kRunning);
  ASSERT_TRUE(engine_->Park("one").ok());
  RunUntilIdle();
  const int64_t expires = engine_->Describe("one")->expire_wall_nanos;
  EXPECT_GE(expires, kRetentionNanos);
  ReadSome("one", 2, 2);
  EXPECT_FALSE(store_->Sessions().front().expire_wall_nanos.has_value()) << "it is in memory";
}

TEST_F(ResumeTest, WhoNeedsTheRoomOfAnIdleOneAsksAgain) {
  sessions_max_ = 1;
  Begin();
  std::weak_ptr<Session> idle = Create(Endless(), "one");
  const std::vector<std::string> all = ReadSome("one", 0, 3);
  const ResolvedSpec spec = *engine_->Resolve(Spec(4));
  const auto create = [&] {
    return engine_->CreateSession(
        spec, "two", {.asks_until_nanos = engine_.clock().MonotonicNanos() + 2'000'000'000});
  };
  const absl::Status busy = create().status();
  EXPECT_EQ(ReasonFor(busy), Reason::kSessionPlacesExhausted);
  EXPECT_FALSE(IsMakingRoom(busy)) << "somebody read it a moment ago";
  engine_.clock().Advance(1'500'000'000);
  EXPECT_FALSE(IsMakingRoom(engine_->CreateSession(spec, "two").status())) << "who does not ask";
  const absl::Status making = create().status();
  EXPECT_EQ(ReasonFor(making), Reason::kSessionPlacesExhausted);
  EXPECT_TRUE(IsMakingRoom(making));
  RunUntilIdle();
  EXPECT_TRUE(idle.expired());
  ASSERT_TRUE(create().ok());
  // And back: one that comes back from the disk asks in the same way.
  ReadSome("two", 0, 2);
  engine_.clock().Advance(1'500'000'000);
  const auto wake = [&] {
    return engine_->Wake("one", 0,
                         {.asks_until_nanos = engine_.clock().MonotonicNanos() + 2'000'000'000});
  };
  EXPECT_TRUE(IsMakingRoom(wake().status()));
  RunUntilIdle();
  ASSERT_TRUE(wake().ok());
  EXPECT_EQ(ReadSome("one", 0, 3), all);
}

// Both at once: one is parked as others need its memory, and its client comes back.
TEST_F(ResumeTest, WhoParksForOthersEndsNoLaterLife) {
  sessions_max_ = 1;
  Begin();
  Create(Endless(), "one");
  const std::vector<std::string> all = ReadSome("one", 0, 6);
  engine_.clock().Advance(1'500'000'000);
  std::shared_ptr<Session> woken;
  on_session_end_ = [&](const std::string&, const absl::Status&) {
    on_session_end_ = {};
    woken = *engine_->Wake("one", 0);
  };
  const auto created = engine_->CreateSession(
      *engine_->Resolve(Spec(4)), "two",
      {.asks_until_nanos = engine_.clock().MonotonicNanos() + 2'000'000'000});
  EXPECT_TRUE(IsMakingRoom(created.status())) << created.status();
  ASSERT_NE(woken, nullptr);
  EXPECT_EQ(*engine_->FindSession("one"), woken);
  Submit(woken, {.kind = EventKind::kPrompt, .prompt = "a blue square", .frame = 69});
  EXPECT_EQ(ReadSome("one", 0, 6), all);
  EXPECT_FALSE(store_->Sessions().front().expire_wall_nanos.has_value()) << "it is in use";
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

TEST_F(ResumeTest, ASessionWhoseSpecIsDamagedIsListedWithThat) {
  Create(Spec(2), "one");
  Read("one", 0);
  Begin("UPDATE records SET body=zeroblob(length(body)) WHERE number=0");
  const auto some = engine_->DescribeSome(engine_->Names(), 1 << 20);
  ASSERT_TRUE(some.ok()) << some.status();
  ASSERT_EQ(some->sessions.size(), 1u);
  EXPECT_EQ(some->sessions[0].id, "one");
  EXPECT_EQ(some->sessions[0].chunk_count, 2);
  EXPECT_NE(some->sessions[0].damage, "");
}

TEST_F(ResumeTest, ASessionWhoseRowIsDamagedIsListedWithThat) {
  Create(Spec(2), "one");
  Create(Spec(2), "two");
  Begin("UPDATE sessions SET chunks=chunks+1 WHERE id='two'");
  std::vector<SessionName> names = engine_->Names();
  std::sort(names.begin(), names.end());
  const auto some = engine_->DescribeSome(names, 1 << 20);
  ASSERT_TRUE(some.ok()) << some.status();
  ASSERT_EQ(some->sessions.size(), 2u);
  const auto two = std::find_if(some->sessions.begin(), some->sessions.end(),
                                [](const SessionInfo& info) { return info.id == "two"; });
  ASSERT_NE(two, some->sessions.end());
  EXPECT_EQ(two->state, SessionState::kParked);
  EXPECT_EQ(two->chunk_count, 0) << "nothing of it is to be believed";
  EXPECT_EQ(two->damage, "its own row is damaged");
  EXPECT_NE(two->expire_wall_nanos, 0);
  ASSERT_TRUE(engine_->DeleteSession("two").ok());
  EXPECT_EQ(engine_->Names().size(), 1u);
}

// And deleted by the name under which it is listed, whatever became of its own.
TEST_F(ResumeTest, ADamagedRowWithoutAProperNameCanBeDeleted) {
  for (const char* id : {"damaged-1", "one", "two"}) Create(Spec(2), id);
  Begin(
      "UPDATE sessions SET id=char(1) || '/Two' WHERE id='two';"
      "UPDATE sessions SET id='', chunks=9 WHERE id='damaged-1'");
  std::vector<std::string> ids;
  for (const SessionName& name : engine_->Names()) ids.push_back(name.id);
  EXPECT_THAT(ids, testing::UnorderedElementsAre("damaged-1", "one", "damaged-3"));
  for (const char* id : {"damaged-1", "damaged-3"}) {
    EXPECT_EQ(engine_->Wake(id, 0).status().code(), absl::StatusCode::kDataLoss);
    ASSERT_TRUE(engine_->DeleteSession(id).ok()) << id;
  }
  Begin();
  ASSERT_EQ(engine_->Names().size(), 1u);
  EXPECT_EQ(Read("one", 0).Digests().size(), 2u);
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

TEST_F(ResumeTest, AnotherModelsSessionIsToldOfAndShownAndNotGoneOnWith) {
  Create(Spec(4), "over");
  const std::vector<std::string> all = Read("over", 0).Digests();
  Create(Endless(), "one");
  ReadSome("one", 0, 4);
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
  // Its decoder is the same, so it shows what is over, and what is made so far of what is not.
  const auto shown = [&](const std::string& id) {
    const auto session = *other->Wake(id, 0);
    const uint64_t reader = *session->Attach(0, nullptr);
    Received received;
    while (!received.end.has_value()) {
      other->Step();
      store_->Step();
      PollAll(*session, reader, &received);
    }
    EXPECT_TRUE(received.end->ok()) << *received.end;
    return received.Digests();
  };
  EXPECT_EQ(shown("over"), all);
  ASSERT_TRUE(other->Fork("one", {.id = "so-far", .chunk = 3, .ended = true}).ok());
  EXPECT_EQ(shown("so-far").size(), 3u);
  EXPECT_TRUE(other->DeleteSession("one").ok());
  other.Stop();
}

// As it was written down, but for what is said.
TEST_F(ResumeTest, WhatComesOutOtherwiseEndsTheSessionByName) {
  Create(Spec(4), "one");
  Read("one", 0);
  Copy("one", "digest", [](Record& record) {
    if (auto* decoded = std::get_if<ChunkDecoded>(&record)) decoded->chain.high ^= 1;
  });
  const Received received = Read("digest", 0);
  ASSERT_TRUE(received.end.has_value());
  EXPECT_EQ(ReasonFor(*received.end), Reason::kSessionCorrupt) << *received.end;
  EXPECT_EQ(ReasonOf(*received.end)->metadata["session"], "digest");
  Copy("one", "spec", [](Record& record) {
    if (auto* created = std::get_if<SessionCreated>(&record))
      created->spec.numerics_profile.clear();
  });
  // Whoever asks for it again and again does not keep it.
  std::optional<int64_t> expiry;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ReasonFor(engine_->Wake("spec", 0).status()), Reason::kSessionCorrupt);
    RunUntilIdle();
    ASSERT_TRUE(store_->ExpiryOf("spec").has_value());
    if (i > 0) {
      EXPECT_EQ(store_->ExpiryOf("spec"), expiry);
    }
    expiry = store_->ExpiryOf("spec");
    engine_.clock().Advance(1'000'000'000);
  }
}

// As another profile would have made it: other latents and other pixels.
std::function<void(Record&)> OtherNumerics(bool allowed) {
  return [allowed](Record& record) {
    if (auto* created = std::get_if<SessionCreated>(&record)) {
      created->numerics_profile = created->spec.numerics_profile = "another";
      created->spec.allow_other_numerics = allowed;
    }
    if (auto* decoded = std::get_if<ChunkDecoded>(&record)) {
      decoded->digest.low ^= 1;
      decoded->chain.low ^= 1;
      decoded->sent = 2;
    }
  };
}

TEST_F(ResumeTest, InOtherNumericsItGoesOnWhereItsSpecAllowsThat) {
  Create(Spec(6), "one");
  const std::vector<std::string> all = Read("one", 0).Digests();
  Copy("one", "strict", OtherNumerics(false));
  EXPECT_EQ(ReasonFor(engine_->Wake("strict", 0).status()), Reason::kNumericsDiffer);
  Copy("one", "two", OtherNumerics(true));
  const Hash128 link = store_->Load("two")->decoded[1].chain;
  for (int process = 0; process < 3; ++process) {
    Begin();
    const auto session = *engine_->Wake("two", 2);
    EXPECT_EQ(session->durable_through(), 6) << "what was told is not taken back";
    const Received again = Read("two", 2);
    ASSERT_TRUE(again.end.has_value() && again.end->ok()) << *again.end;
    EXPECT_EQ(again.Digests(), From(all, 2)) << "of the same latents";
    const auto stored = store_->Load("two");
    EXPECT_EQ(stored->decoded[1].chain, link);
    EXPECT_EQ(stored->decoded[2].chain, again.chunks[0]->chain) << "what it has now";
    EXPECT_TRUE(stored->numerics_changed);
  }
  // Its client has a chunk more when the next process begins.
  Begin();
  const Hash128 third = store_->Load("two")->decoded[2].chain;
  ASSERT_TRUE(Read("two", 3).end->ok());
  EXPECT_EQ(store_->Load("two")->decoded[2].chain, third);
}

// A rolling take makes its chunks again, and they are others.
TEST_F(ResumeTest, InOtherNumericsWhatIsMadeAgainIsNotCompared) {
  engine_.Stop();
  const ScratchPack pack(SmallRecipe("rolling-forcing"));
  EngineSetup setup;
  setup.pack = pack.directory();
  TestEngine rolling(setup);
  EngineOptions options = setup.engine;
  options.store = store_.get();
  ASSERT_TRUE(rolling.Renew(options).ok());
  const auto read = [&](Session& session) {
    Received received;
    const uint64_t reader = *session.Attach(-1, nullptr);
    while (!received.end.has_value()) {
      while (rolling->Step() || rolling->Step() || store_->Step()) {
      }
      PollAll(session, reader, &received);
    }
    return received;
  };
  const Received whole = read(**rolling.CreateSession(Spec(6), "one"));
  ASSERT_TRUE(whole.end->ok()) << *whole.end;
  Copy("one", "two", OtherNumerics(true), /*more=*/0.5F);
  const Received again = read(**rolling->Wake("two", 2));
  EXPECT_TRUE(again.end->ok()) << *again.end;
  EXPECT_EQ(again.Digests(), From(whole.Digests(), 2));
  rolling.Stop();
}

TEST_F(ResumeTest, InTheSameNumericsEveryInstructionSetGivesTheSame) {
  Create(Spec(6), "one");
  const std::vector<std::string> all = Read("one", 0).Digests();
  Create(Spec(6), "two");
  while (store_->Sessions().back().chunks < 3) {
    engine_->Step();
    store_->Step();
  }
  Begin();
  engine_.Stop();
  EngineSetup setup;
  setup.model.instruction_set_max = "x86-64-v3";
  TestEngine lesser(setup);
  ASSERT_EQ(lesser.model().instruction_set(), "x86-64-v3");
  EngineOptions options = setup.engine;
  options.store = store_.get();
  ASSERT_TRUE(lesser.Renew(options).ok());
  const auto session = *lesser->Wake("two", 0);
  const uint64_t reader = *session->Attach(0, nullptr);
  Received received;
  while (!received.end.has_value()) {
    while (lesser->Step() || lesser->Step() || store_->Step()) {
    }
    PollAll(*session, reader, &received);
  }
  EXPECT_EQ(received.Digests(), all);
  store_->Stop();
  lesser.Stop();
}

TEST_F(ResumeTest, OneOfWhichNotEverythingIsKeptIsNotDurable) {
  const auto session = Create(Endless(), "one");
  ReadSome("one", 0, 2);
  EXPECT_TRUE(engine_->InfoOf(*session).durable);
  waiting_bytes_max_ = 2000;  // half of it for what gaps keep
  Begin();
  const auto other = Create(Endless(), "two");
  EXPECT_TRUE(engine_->InfoOf(*other).durable);
  ReadSome("two", 0, 2);
  EXPECT_EQ(store_->stats().broken_off, 1);
  EXPECT_FALSE(engine_->InfoOf(*other).durable);
  EXPECT_FALSE(engine_->Describe("two")->durable);
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

}  // namespace
}  // namespace longtake
