// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/session.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error_reason.h"
#include "tests/engine/scripted_sink.h"

namespace longtake {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    spec_.ttl_nanos = 10 * kSecond;
    limits_.outbox_bytes_max = 300;
    limits_.inbox_events_max = 2;
    limits_.first_attach_nanos = 30 * kSecond;
  }

  Session MakeSession() {
    return Session({"s"}, spec_, limits_, {}, clock_, [this] { ++engine_wakes_; });
  }

  static std::shared_ptr<MediaChunk> MakeChunk(int64_t index, size_t bytes = 100) {
    auto chunk = std::make_shared<MediaChunk>();
    chunk->index = index;
    chunk->first_frame = index * 12;
    chunk->frame_count = 12;
    chunk->rgb.resize(bytes);
    return chunk;
  }

  // The index of the chunk polled, or -1 for anything else.
  static int64_t PollChunk(Session& session, uint64_t attachment) {
    auto output = session.Poll(attachment);
    if (!output.ok() || !output->has_value()) return -1;
    const auto* chunk = std::get_if<std::shared_ptr<const MediaChunk>>(&**output);
    return chunk == nullptr ? -1 : (*chunk)->index;
  }

  ResolvedSpec spec_;
  SessionLimits limits_;
  ManualClock clock_;
  int engine_wakes_ = 0;
};

TEST_F(SessionTest, DeliversChunksInOrderThenTheEnd) {
  Session session = MakeSession();
  int reader_wakes = 0;
  const uint64_t reader = *session.Attach(-1, [&] { ++reader_wakes; });
  session.PutChunk(MakeChunk(0));
  session.PutChunk(MakeChunk(1));
  session.PutEnd(absl::OkStatus());
  EXPECT_EQ(reader_wakes, 3);
  EXPECT_EQ(PollChunk(session, reader), 0);
  EXPECT_EQ(PollChunk(session, reader), 1);
  auto end = session.Poll(reader);
  ASSERT_TRUE(end.ok() && end->has_value());
  EXPECT_TRUE(std::get<SessionEnd>(**end).status.ok());
  EXPECT_FALSE(session.Poll(reader)->has_value());
  EXPECT_EQ(session.Info().state, SessionState::kEnded);
}

TEST_F(SessionTest, RoomIsBoundedByUnsentBytesOnly) {
  Session session = MakeSession();
  EXPECT_TRUE(session.HasRoom(1000, 0)) << "the first chunk always fits";
  EXPECT_FALSE(session.HasRoom(200, 200));
  session.PutChunk(MakeChunk(0));
  session.PutChunk(MakeChunk(1));
  EXPECT_TRUE(session.HasRoom(100, 0));
  EXPECT_FALSE(session.HasRoom(100, 100));
  session.PutChunk(MakeChunk(2));
  EXPECT_FALSE(session.HasRoom(100, 0));
  const uint64_t reader = *session.Attach(-1, nullptr);
  EXPECT_EQ(PollChunk(session, reader), 0);
  EXPECT_TRUE(session.HasRoom(100, 0));
}

TEST_F(SessionTest, SentChunksStayForAReaderThatComesBack) {
  Session session = MakeSession();
  const uint64_t first = *session.Attach(-1, nullptr);
  for (int64_t i = 0; i < 3; ++i) session.PutChunk(MakeChunk(i));
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(PollChunk(session, first), i);
  session.PutChunk(MakeChunk(3));  // chunk 0 makes room
  session.Detach(first);

  EXPECT_EQ(session.Attach(0, nullptr).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(session.Attach(5, nullptr).status().code(), absl::StatusCode::kOutOfRange);
  const uint64_t second = *session.Attach(1, nullptr);
  for (int64_t i = 1; i < 4; ++i) EXPECT_EQ(PollChunk(session, second), i);
  EXPECT_EQ(session.Info().oldest_chunk_held, 1);
}

TEST_F(SessionTest, ANewerReaderTakesOver) {
  Session session = MakeSession();
  int first_wakes = 0;
  const uint64_t first = *session.Attach(-1, [&] { ++first_wakes; });
  const uint64_t second = *session.Attach(-1, nullptr);
  EXPECT_EQ(first_wakes, 1) << "the old reader must learn of it";
  EXPECT_EQ(session.Poll(first).status().code(), absl::StatusCode::kAborted);
  session.Detach(first);
  EXPECT_TRUE(session.Info().attached) << "an old reader's goodbye does not detach the new one";
  session.PutChunk(MakeChunk(0));
  EXPECT_EQ(PollChunk(session, second), 0);
}

// Whoever attaches beyond that takes nobody over.
TEST_F(SessionTest, IsAttachedToSoOftenAtOnceThenAtARate) {
  limits_.attaches = {.at_once_max = 3, .interval_nanos = kSecond};
  Session session = MakeSession();
  uint64_t reader = 0;
  for (int i = 0; i < 3; ++i) reader = *session.Attach(-1, nullptr);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ReasonFor(session.CheckAttach(-1)), Reason::kAttachedTooOften);
    EXPECT_EQ(ReasonFor(session.Attach(-1, nullptr).status()), Reason::kAttachedTooOften);
    EXPECT_TRUE(session.CheckReader(reader).ok());
    clock_.Advance(kSecond - 1);
    EXPECT_FALSE(session.CheckAttach(-1).ok());
    clock_.Advance(1);
    EXPECT_EQ(ReasonFor(session.Attach(99, nullptr).status()), Reason::kChunkNotHeld)
        << "which counts as none";
    ASSERT_TRUE(session.CheckAttach(-1).ok());
    const uint64_t next = *session.Attach(-1, nullptr);
    EXPECT_FALSE(session.CheckReader(reader).ok());
    reader = next;
  }
  clock_.Advance(3600 * kSecond);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(session.Attach(-1, nullptr).ok());
  EXPECT_FALSE(session.Attach(-1, nullptr).ok()) << "an hour saves up no more";
}

TEST_F(SessionTest, WhoWasTakenOverAsksForNothingMore) {
  Session session = MakeSession();
  const uint64_t first = *session.Attach(-1, nullptr);
  EXPECT_TRUE(session.Submit({EventKind::kPause, ""}, {}, first).ok());
  const uint64_t second = *session.Attach(-1, nullptr);
  EXPECT_EQ(session.Submit({EventKind::kEnd, ""}, {}, first).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_EQ(session.TakeEvents().size(), 1u);
  EXPECT_TRUE(session.Submit({EventKind::kResume, ""}, {}, second).ok());
}

// A client that is there and does nothing, while the session can do nothing without it.
TEST_F(SessionTest, AnAttachedClientMayKeepItWaitingForSoLong) {
  constexpr int64_t kLimit = 600 * kSecond;
  limits_.attached_idle_nanos = kLimit;
  Session session = MakeSession();
  const uint64_t reader = *session.Attach(-1, nullptr);
  session.SetState(SessionState::kRunning);
  clock_.Advance(10 * kLimit);
  EXPECT_FALSE(session.Expired()) << "it is not the client that it waits for";
  int64_t chunk = 0;
  for (const SessionState state : {SessionState::kPaused, SessionState::kBlocked}) {
    session.SetState(state);
    EXPECT_EQ(ReasonFor(session.CheckLife()), Reason::kClientIdle);
    session.PutChunk(MakeChunk(chunk));
    EXPECT_EQ(PollChunk(session, reader), chunk++);
    EXPECT_FALSE(session.Expired()) << "it took something";
    clock_.Advance(kLimit - 1);
    EXPECT_FALSE(session.Expired());
    clock_.Advance(1);
    EXPECT_TRUE(session.Expired());
  }
  ASSERT_TRUE(session.Submit({EventKind::kResume, ""}, {}, reader).ok());
  EXPECT_FALSE(session.Expired()) << "it sent something";
  session.PutEnd(absl::OkStatus());
  clock_.Advance(kLimit);
  EXPECT_TRUE(session.Expired()) << "the end is not taken";
  while (session.Poll(reader)->has_value()) {
  }
  EXPECT_FALSE(session.Expired()) << "it took the end";
  clock_.Advance(kLimit);
  EXPECT_TRUE(session.Expired())
      << "and has not left: what it was given may be on its way for ever";
}

// One picture of 16x16 whose 768 bytes are awaited for 30 s, and 10 a second over the whole time.
class SessionStartTest : public SessionTest {
 protected:
  SessionStartTest() {
    limits_.start_wait_nanos = 30 * kSecond;
    limits_.start_bytes_per_second_min = 10;
    spec_.start_frames = 1;
    spec_.width = spec_.height = 16;
    spec_.ttl_nanos = 600 * kSecond;
  }

  void Send(Session& session, uint64_t reader, size_t bytes) {
    ASSERT_TRUE(session.PutStart(reader, sent_bytes_, std::string(bytes, 'x')).ok());
    sent_bytes_ += static_cast<int64_t>(bytes);
  }

  int64_t sent_bytes_ = 0;
};

TEST_F(SessionStartTest, BytesCountOnceTheyAreRecorded) {
  ScriptedSink sink;
  const auto session = std::make_shared<Session>(
      SessionKey{"s"}, spec_, limits_, SessionReservations{}, clock_, [] {}, nullptr, sink);
  const uint64_t first = *session->Attach(-1, nullptr);
  const std::string frames = std::string(400, 'x') + std::string(368, 'y');
  int answers = 0;
  const auto put = [&](uint64_t reader, int64_t offset, size_t bytes) {
    return session->PutStart(reader, offset, frames.substr(static_cast<size_t>(offset), bytes),
                             [&](const absl::Status& status) { answers += status.ok() ? 1 : 0; });
  };
  ASSERT_TRUE(put(first, 0, 400).ok());
  EXPECT_EQ(session->Info().start_bytes, 0u);
  EXPECT_EQ(answers, 0);
  // Who takes over begins where it is told to, whatever is still being recorded.
  const uint64_t second = *session->Attach(-1, nullptr);
  ASSERT_TRUE(put(second, 0, 300).ok());
  EXPECT_EQ(answers, 1) << "it came before";
  ASSERT_TRUE(put(second, 300, 468).ok());
  EXPECT_EQ(sink.start(400), frames.substr(400)) << "what was new of it";
  sink.SayStart(400);
  EXPECT_EQ(session->Info().start_bytes, 0u) << "something is missing before it";
  const auto taken = session->TakeStart();
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(std::string(taken->rgb.begin(), taken->rgb.end()), frames);
  EXPECT_EQ(session->Info().start_bytes, 0u);
  sink.SayStart(0);
  EXPECT_EQ(session->Info().start_bytes, 768u);
  EXPECT_EQ(answers, 3);
  EXPECT_FALSE(put(second, 0, 768).ok()) << "all is recorded";
}

TEST_F(SessionStartTest, ThatDoesNotComeIsAwaitedForSoLong) {
  Session session = MakeSession();
  clock_.Advance(29 * kSecond);
  const uint64_t reader = *session.Attach(-1, nullptr);
  clock_.Advance(29 * kSecond);
  EXPECT_FALSE(session.Expired()) << "nobody could send before";
  Send(session, reader, 700);
  clock_.Advance(30 * kSecond - 1);
  EXPECT_FALSE(session.Expired());
  clock_.Advance(1);
  const absl::Status late = session.CheckLife();
  EXPECT_EQ(ReasonFor(late), Reason::kStartLate);
  EXPECT_NE(late.message().find("700 of 768 bytes"), std::string::npos) << late;
  Send(session, reader, 68);
  clock_.Advance(6000 * kSecond);
  EXPECT_FALSE(session.Expired()) << "all is there";
}

// A byte now and then does not do: the 30 s of the beginning are used up once.
TEST_F(SessionStartTest, ThatDripsIsTooSlowInTheEnd) {
  Session session = MakeSession();
  const uint64_t reader = *session.Attach(-1, nullptr);
  clock_.Advance(20 * kSecond);
  Send(session, reader, 50);  // which take 5 s at the least rate
  clock_.Advance(15 * kSecond - 1);
  EXPECT_FALSE(session.Expired());
  Send(session, reader, 10);
  clock_.Advance(1 * kSecond);
  EXPECT_FALSE(session.Expired());
  clock_.Advance(1);
  EXPECT_EQ(ReasonFor(session.CheckLife()), Reason::kStartLate);
}

TEST_F(SessionStartTest, IsAwaitedNoLongerBecauseItsClientComesAgain) {
  Session session = MakeSession();
  session.Detach(*session.Attach(-1, nullptr));
  EXPECT_EQ(session.Info().expire_wall_nanos, clock_.WallNanos() + 30 * kSecond);
  clock_.Advance(29 * kSecond);
  const uint64_t reader = *session.Attach(-1, nullptr);
  Send(session, reader, 768 - 1);
  session.Detach(reader);
  EXPECT_EQ(session.Info().expire_wall_nanos, clock_.WallNanos() + 30 * kSecond);
  const uint64_t again = *session.Attach(-1, nullptr);
  clock_.Advance(30 * kSecond);
  EXPECT_EQ(ReasonFor(session.CheckLife()), Reason::kStartLate);
  Send(session, again, 1);
  session.Detach(again);
  EXPECT_EQ(session.Info().expire_wall_nanos, clock_.WallNanos() + spec_.ttl_nanos);
}

// 321 frames of the largest side: more nanoseconds than a product of all would hold.
TEST_F(SessionStartTest, OfTheLargestSizeHasItsTime) {
  limits_.start_bytes_per_second_min = 32 << 10;
  constexpr int64_t kBytes = int64_t{321} * 8192 * 8192 * 3;
  StartPace pace;
  EXPECT_FALSE(pace.DueNanos(kBytes, limits_).has_value());
  pace.Begin(5);
  EXPECT_EQ(pace.DueNanos(0, limits_), 5 + 30 * kSecond);
  pace.Hear(std::numeric_limits<int64_t>::max() / 2);
  EXPECT_EQ(pace.DueNanos(kBytes, limits_), 5 + 30 * kSecond + kBytes / (32 << 10) * kSecond);
}

TEST_F(SessionTest, EventsAreNumberedBoundedAndReceiptedBeforeTheirChunk) {
  Session session = MakeSession();
  const uint64_t reader = *session.Attach(-1, nullptr);
  EXPECT_EQ(session.Submit({EventKind::kPrompt, "a"}, {1})->sequence, 1u);
  EXPECT_EQ(session.Submit({EventKind::kPause, ""}, {})->sequence, 2u);
  EXPECT_EQ(session.Submit({EventKind::kResume, ""}, {}).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(session.TakeEvents().size(), 2u);
  EXPECT_TRUE(session.TakeEvents().empty());

  session.PutApplied(1, 1);
  session.PutChunk(MakeChunk(0));
  session.PutChunk(MakeChunk(1));
  EXPECT_EQ(PollChunk(session, reader), 0);
  auto receipt = session.Poll(reader);
  ASSERT_TRUE(receipt.ok() && receipt->has_value());
  EXPECT_EQ(std::get<EventApplied>(**receipt).chunk, 1);
  EXPECT_EQ(PollChunk(session, reader), 1);
  EXPECT_TRUE(session.Submit({EventKind::kResume, ""}, {}).ok()) << "a place is free again";
}

TEST_F(SessionTest, AReceiptOfTheEndHoldsBackNoneThatIsStillRecorded) {
  Session session = MakeSession();
  session.ReleaseChunks(0);
  const uint64_t reader = *session.Attach(-1, nullptr);
  EXPECT_EQ(session.Submit({EventKind::kPrompt, "a"}, {1})->sequence, 1u);
  EXPECT_EQ(session.TakeEvents().size(), 1u);
  session.ExpectApplied();  // from chunk 1 on
  EXPECT_EQ(session.Submit({EventKind::kPrompt, "b"}, {1})->sequence, 2u);
  session.PutChunk(MakeChunk(0));
  session.PutChunk(MakeChunk(1));
  session.PutEnd(absl::OkStatus());  // nobody took the second one
  session.PutApplied(1, 1);
  session.ReleaseChunks(2);
  EXPECT_EQ(PollChunk(session, reader), 0);
  EXPECT_EQ(std::get<EventApplied>(**session.Poll(reader)),
            (EventApplied{.sequence = 1, .chunk = 1}));
  EXPECT_EQ(PollChunk(session, reader), 1);
  EXPECT_EQ(std::get<EventApplied>(**session.Poll(reader)),
            (EventApplied{.sequence = 2, .chunk = 2}));
}

TEST_F(SessionTest, ARepeatedControlIsTheSameEvent) {
  Session session = MakeSession();
  const uint64_t reader = *session.Attach(-1, nullptr);
  const SessionEvent prompt = {.kind = EventKind::kPrompt, .prompt = "a", .control_id = 7};
  EXPECT_EQ(session.Submit(prompt, {1})->sequence, 1u);
  const auto again = session.Submit(prompt, {1});
  EXPECT_EQ(again->sequence, 1u);
  EXPECT_FALSE(again->applied_chunk.has_value());
  EXPECT_EQ(session.TakeEvents().size(), 1u) << "taken once";

  session.PutApplied(1, 3);
  EXPECT_EQ(session.Submit(prompt, {1})->applied_chunk, 3);
  auto applied = session.Poll(reader);
  EXPECT_EQ(std::get<EventApplied>(**applied).control_id, 7u);
  // Without an id every event is another one.
  EXPECT_NE(session.Submit({.kind = EventKind::kPause}, {})->sequence,
            session.Submit({.kind = EventKind::kPause}, {})->sequence);
  // What was accepted stays known when the session is over; what was not is refused.
  session.PutEnd(absl::OkStatus());
  EXPECT_EQ(session.Submit(prompt, {1})->sequence, 1u);
  EXPECT_EQ(session.Submit({.kind = EventKind::kPause, .control_id = 8}, {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(SessionTest, AnIdOfAnotherControlIsAnError) {
  Session session = MakeSession();
  ASSERT_TRUE(session.Submit({.kind = EventKind::kPause, .control_id = 1}, {}).ok());
  for (const SessionEvent& other :
       {SessionEvent{.kind = EventKind::kEnd, .control_id = 1},
        SessionEvent{.kind = EventKind::kPause, .frame = 4, .control_id = 1},
        SessionEvent{.kind = EventKind::kPrompt, .prompt = "a", .control_id = 1}}) {
    const absl::Status status = session.Submit(other, {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(FieldOf(status), "id");
  }
}

TEST_F(SessionTest, AFullInboxStillTakesAnEnd) {
  Session session = MakeSession();
  ASSERT_TRUE(session.Submit({.kind = EventKind::kPause, .frame = 1000}, {}).ok());
  ASSERT_TRUE(session.Submit({.kind = EventKind::kPause, .frame = 2000}, {}).ok());
  EXPECT_FALSE(session.Submit({.kind = EventKind::kPause}, {}).ok());
  EXPECT_TRUE(session.Submit({.kind = EventKind::kEnd}, {}).ok());
  int ends = 1;
  while (session.Submit({.kind = EventKind::kEnd}, {}).ok()) ASSERT_LT(++ends, 10);
}

TEST_F(SessionTest, OnlyTheLatestReaderDetaches) {
  Session session = MakeSession();
  const uint64_t first = *session.Attach(-1, nullptr);
  const uint64_t second = *session.Attach(-1, nullptr);
  EXPECT_FALSE(session.Detach(first)) << "somebody else reads";
  EXPECT_TRUE(session.Detach(second));
  EXPECT_FALSE(session.Detach(second));
}

TEST_F(SessionTest, ARefusedControlLeavesItsIdFree) {
  Session session = MakeSession();
  const uint64_t reader = *session.Attach(-1, nullptr);
  ASSERT_TRUE(session.Submit({.kind = EventKind::kPause, .control_id = 1}, {}).ok());
  ASSERT_TRUE(session.Submit({.kind = EventKind::kResume, .control_id = 2}, {}).ok());
  const SessionEvent third = {.kind = EventKind::kPause, .control_id = 3};
  EXPECT_EQ(session.Submit(third, {}).status().code(), absl::StatusCode::kResourceExhausted);
  session.TakeEvents();
  session.PutApplied(1, 0);
  ASSERT_TRUE(session.Poll(reader)->has_value());
  EXPECT_EQ(session.Submit(third, {})->sequence, 3u);
}

TEST_F(SessionTest, OnlyTheLatestControlIdsAreKnown) {
  Session session = MakeSession();
  const uint64_t reader = *session.Attach(-1, nullptr);
  for (uint64_t id = 1; id <= kControlIdsMax + 1; ++id) {
    const auto accepted = session.Submit({.kind = EventKind::kPause, .control_id = id}, {});
    ASSERT_EQ(accepted->sequence, id);
    session.TakeEvents();
    session.PutApplied(id, 0);
    ASSERT_TRUE(session.Poll(reader)->has_value());
  }
  EXPECT_EQ(session.Submit({.kind = EventKind::kPause, .control_id = 2}, {})->sequence, 2u);
  EXPECT_EQ(session.Submit({.kind = EventKind::kPause, .control_id = 1}, {})->sequence,
            kControlIdsMax + 2)
      << "forgotten";
}

TEST_F(SessionTest, LivesForItsTtlWithoutAReader) {
  Session session = MakeSession();
  clock_.Advance(29 * kSecond);
  EXPECT_FALSE(session.Expired()) << "nobody came yet";
  const uint64_t reader = *session.Attach(-1, nullptr);
  clock_.Advance(100 * kSecond);
  EXPECT_FALSE(session.Expired());
  session.Detach(reader);
  clock_.Advance(9 * kSecond);
  EXPECT_FALSE(session.Expired());
  clock_.Advance(2 * kSecond);
  EXPECT_TRUE(session.Expired());
}

// Nobody takes places and memory for a day by asking once.
TEST_F(SessionTest, ASessionThatNobodyReadsDoesNotLiveForItsTtl) {
  spec_.ttl_nanos = 86400 * kSecond;
  Session session = MakeSession();
  clock_.Advance(30 * kSecond);
  EXPECT_TRUE(session.Expired());
}

TEST_F(SessionTest, WithoutTtlItEndsWithItsClient) {
  spec_.ttl_nanos = 0;
  Session session = MakeSession();
  EXPECT_FALSE(session.Expired());
  session.Detach(*session.Attach(-1, nullptr));
  EXPECT_TRUE(session.Expired());
}

TEST_F(SessionTest, WhoSetsTheWallClockChangesNoLife) {
  for (const int64_t jump : {86400 * kSecond, -86400 * kSecond}) {
    Session session = MakeSession();
    const uint64_t reader = *session.Attach(-1, nullptr);
    clock_.JumpWall(jump);
    EXPECT_FALSE(session.Expired()) << "it is attached";
    session.Detach(reader);
    clock_.Advance(4 * kSecond);
    clock_.JumpWall(jump);
    EXPECT_EQ(session.Info().expire_wall_nanos, clock_.WallNanos() + 6 * kSecond);
    clock_.Advance(6 * kSecond - 1);
    EXPECT_FALSE(session.Expired());
    clock_.Advance(1);
    EXPECT_TRUE(session.Expired());
  }
}

// Another process, whose monotonic clock begins anew; wall clocks show seconds since the first
// reader went.
class LifeAfterARestartTest : public SessionTest {
 protected:
  LifeAfterARestartTest() { clock_.JumpWall(1000 * kSecond); }
  // How long the session lives on without a reader.
  int64_t LifeFrom(const SavedAttachment& saved, int64_t wall_nanos) {
    ManualClock clock;
    clock.JumpWall(wall_nanos);
    Session session({"s"}, spec_, limits_, {}, clock, [] {});
    session.BeginAt({.inbox = Inbox(), .attachment = saved});
    const int64_t life_nanos = session.Info().expire_wall_nanos - wall_nanos;
    if (life_nanos > 0) {
      clock.Advance(life_nanos - 1);
      EXPECT_FALSE(session.Expired());
      clock.Advance(1);
    }
    EXPECT_TRUE(session.Expired());
    return life_nanos;
  }
};

TEST_F(LifeAfterARestartTest, TheTimeAloneGoesOn) {
  Session session = MakeSession();
  clock_.Advance(20 * kSecond);
  session.Detach(*session.Attach(-1, nullptr));
  clock_.Advance(3 * kSecond);
  clock_.JumpWall(-500 * kSecond);  // what is saved is in the time of the clock as it was set
  const int64_t wall_nanos = clock_.WallNanos();
  const SavedAttachment saved = session.SaveAttachment();
  EXPECT_EQ(LifeFrom(saved, wall_nanos), 7 * kSecond);
  EXPECT_EQ(LifeFrom(saved, wall_nanos + 5 * kSecond), 2 * kSecond);
  EXPECT_LE(LifeFrom(saved, wall_nanos + 7 * kSecond), 0);
  EXPECT_EQ(LifeFrom(saved, wall_nanos - 2 * kSecond), 9 * kSecond);
  EXPECT_EQ(LifeFrom(saved, wall_nanos - 100 * kSecond), 10 * kSecond)
      << "a clock that was set back gives no more than the ttl";
}

TEST_F(LifeAfterARestartTest, WhoWasAttachedHasTheWholeTtlToComeBack) {
  Session session = MakeSession();
  ASSERT_TRUE(session.Attach(-1, nullptr).ok());
  const SavedAttachment saved = session.SaveAttachment();
  for (const int64_t seconds : {0, 500, 100'000'000}) {
    EXPECT_EQ(LifeFrom(saved, seconds * kSecond), 10 * kSecond);
  }
}

TEST_F(LifeAfterARestartTest, WhoNeverCameHasTheRestOfTheTimeForAFirstReader) {
  const Session session = MakeSession();
  clock_.Advance(12 * kSecond);
  EXPECT_EQ(LifeFrom(session.SaveAttachment(), clock_.WallNanos()), 18 * kSecond);
}

TEST_F(LifeAfterARestartTest, ASavedTimeMayBeAnything) {
  for (const int64_t since : {INT64_MIN, int64_t{-1}, int64_t{0}}) {
    EXPECT_LE(LifeFrom({.had_reader = true, .alone_since_wall_nanos = since}, 20 * kSecond), 0);
  }
  EXPECT_EQ(LifeFrom({.had_reader = true, .alone_since_wall_nanos = INT64_MAX}, 20 * kSecond),
            10 * kSecond);
}

// What is on disk waits on there; a receipt now would tell of a chunk at which it does not come to
// hold.
TEST_F(SessionTest, EventsOfOneThatIsKeptAndFailsGetNoSecondReceipt) {
  for (const bool kept : {false, true}) {
    for (const bool cancelled : {false, true}) {
      Session session = MakeSession();
      if (kept) session.ReleaseChunks(0);
      const uint64_t reader = *session.Attach(-1, nullptr);
      ASSERT_TRUE(session.Submit({.kind = EventKind::kPause}, {}).ok());
      if (cancelled) {
        session.Cancel(absl::CancelledError("parked"));
      } else {
        session.PutEnd(absl::DataLossError("layer 3"));
      }
      auto output = session.Poll(reader);
      ASSERT_TRUE(output.ok() && output->has_value());
      EXPECT_EQ(std::holds_alternative<SessionEnd>(**output), kept);
    }
  }
  Session session = MakeSession();
  session.ReleaseChunks(0);
  const uint64_t reader = *session.Attach(-1, nullptr);
  ASSERT_TRUE(session.Submit({.kind = EventKind::kPause}, {}).ok());
  session.PutEnd(absl::OkStatus());
  EXPECT_TRUE(std::holds_alternative<EventApplied>(**session.Poll(reader))) << "it is over";
}

// One that comes again on the way to the chunk that its reader waits for takes no room of it.
TEST_F(SessionTest, AChunkThatComesAgainCanBeWaitedFor) {
  Session session = MakeSession();
  session.BeginAt({.inbox = Inbox(), .made = 6, .attachment = {}});
  EXPECT_EQ(ReasonFor(session.CheckAttach(7)), Reason::kChunkNotHeld);
  const uint64_t reader = *session.Attach(5, nullptr);
  for (int64_t index = 0; index < 5; ++index) {
    EXPECT_TRUE(session.HasRoom(/*chunk_bytes=*/200, /*in_flight_bytes=*/100)) << index;
    session.PutChunk(MakeChunk(index));
    EXPECT_EQ(PollChunk(session, reader), -1) << index;
  }
  session.PutChunk(MakeChunk(5));
  EXPECT_EQ(PollChunk(session, reader), 5);
}

TEST_F(SessionTest, CancelEndsItAndLaterChunksVanish) {
  Session session = MakeSession();
  const uint64_t reader = *session.Attach(-1, nullptr);
  session.Cancel(absl::CancelledError("deleted"));
  session.PutChunk(MakeChunk(0));
  auto end = session.Poll(reader);
  ASSERT_TRUE(end.ok() && end->has_value());
  EXPECT_EQ(std::get<SessionEnd>(**end).status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(session.Submit({EventKind::kPause, ""}, {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(SessionTest, AFailureIsTheEndAndTheFirstWins) {
  Session session = MakeSession();
  session.PutEnd(absl::DataLossError("layer 3"));
  session.PutEnd(absl::OkStatus());
  EXPECT_EQ(session.Info().state, SessionState::kFailed);
  EXPECT_EQ(session.Info().failure.code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace longtake
