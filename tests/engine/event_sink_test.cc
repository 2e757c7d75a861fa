// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Events between number and acceptance, with a sink that answers when and as the test says.
#include "engine/session/event_sink.h"

#include <gmock/gmock.h>

#include <future>
#include <map>
#include <random>
#include <thread>

#include "base/error_reason.h"
#include "engine/session/session.h"
#include "tests/engine/scripted_sink.h"

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Answer = absl::StatusOr<EventAccepted>;

class EventSinkTest : public ::testing::Test {
 protected:
  std::shared_ptr<Session> MakeSession() {
    return std::make_shared<Session>(
        SessionKey{"s"}, ResolvedSpec(), limits_, SessionReservations(), clock_,
        [this] { ++engine_wakes_; }, SessionEndObserver(), sink_);
  }
  // Where the answer to a submitted event will be.
  std::shared_ptr<std::optional<Answer>> Submit(Session& session, SessionEvent event) {
    auto answer = std::make_shared<std::optional<Answer>>();
    session.Submit(std::move(event), {}, {}, [answer](const Answer& result) {
      EXPECT_FALSE(answer->has_value()) << "answered twice";
      *answer = result;
    });
    return answer;
  }
  static std::vector<uint64_t> Taken(Session& session) {
    std::vector<uint64_t> numbers;
    for (const AcceptedEvent& event : session.TakeEvents()) numbers.push_back(event.sequence);
    return numbers;
  }

  SessionLimits limits_ = {.inbox_events_max = 3};
  ManualClock clock_;
  ScriptedSink sink_;
  std::atomic<int> engine_wakes_{0};
  const std::shared_ptr<Session> session_ = MakeSession();
};

TEST_F(EventSinkTest, NothingIsAcceptedBeforeItIsRecorded) {
  const SessionEvent event = {.kind = EventKind::kPrompt, .prompt = "a", .control_id = 7};
  std::optional<Answer> answer;
  session_->Submit(event, {1, 2}, {}, [&](const Answer& result) { answer = result; });
  ASSERT_THAT(sink_.numbers(), ElementsAre(1));
  EXPECT_EQ(sink_.session_id(), "s");
  EXPECT_EQ(sink_.event(1), (AcceptedEvent{.sequence = 1, .event = event, .prompt_ids = {1, 2}}));
  EXPECT_FALSE(answer.has_value());
  EXPECT_EQ(engine_wakes_, 0);
  EXPECT_TRUE(session_->TakeEvents().empty());

  sink_.Say(1);
  EXPECT_EQ((*answer)->sequence, 1u);
  EXPECT_EQ(engine_wakes_, 1);
  EXPECT_THAT(Taken(*session_), ElementsAre(1));
}

TEST_F(EventSinkTest, TheOrderIsThatOfTheNumbersWhateverThatOfTheRecords) {
  std::vector<uint64_t> answered;
  for (int i = 0; i < 3; ++i) {
    session_->Submit({.kind = EventKind::kPause}, {}, {},
                     [&](const Answer& result) { answered.push_back(result->sequence); });
  }
  sink_.Say(3);
  EXPECT_TRUE(session_->TakeEvents().empty());
  sink_.Say(1);
  EXPECT_THAT(Taken(*session_), ElementsAre(1)) << "the third waits for the second";
  sink_.Say(2);
  EXPECT_THAT(Taken(*session_), ElementsAre(2, 3));
  EXPECT_THAT(answered, ElementsAre(1, 2, 3));
}

TEST_F(EventSinkTest, ARepeatDuringTheRecordGetsTheAnswerOfTheFirst) {
  const SessionEvent event = {.kind = EventKind::kPause, .control_id = 7};
  const auto first = Submit(*session_, event);
  const auto again = Submit(*session_, event);
  EXPECT_THAT(sink_.numbers(), ElementsAre(1)) << "recorded once";
  const auto other = Submit(*session_, {.kind = EventKind::kEnd, .control_id = 7});
  EXPECT_EQ(FieldOf(other->value().status()), "id");
  EXPECT_FALSE(again->has_value());
  sink_.Say(1);
  EXPECT_EQ(first->value()->sequence, 1u);
  EXPECT_EQ(again->value()->sequence, 1u);
  EXPECT_THAT(Taken(*session_), ElementsAre(1));
  EXPECT_EQ(Submit(*session_, event)->value()->sequence, 1u) << "known from now on";
  EXPECT_TRUE(sink_.numbers().empty());
}

TEST_F(EventSinkTest, WithoutAControlIdEveryEventIsAnotherOne) {
  const auto first = Submit(*session_, {.kind = EventKind::kPause});
  const auto second = Submit(*session_, {.kind = EventKind::kPause});
  EXPECT_THAT(sink_.numbers(), ElementsAre(1, 2));
  sink_.Say(1);
  sink_.Say(2);
  EXPECT_THAT(Taken(*session_), ElementsAre(1, 2));
}

TEST_F(EventSinkTest, WhatCannotBeRecordedIsRefusedAndLaterEventsGoOn) {
  const uint64_t reader = *session_->Attach(-1, nullptr);
  const SessionEvent event = {.kind = EventKind::kPause, .control_id = 7};
  const auto failed = Submit(*session_, event);
  const auto repeated = Submit(*session_, event);
  const auto good = Submit(*session_, {.kind = EventKind::kResume, .control_id = 8});
  sink_.Say(2);
  EXPECT_FALSE(good->has_value());
  sink_.Say(1, absl::UnavailableError("the disk is full"));
  for (const auto& answer : {failed, repeated}) {
    const absl::Status status = answer->value().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(status.message(), "session s: the disk is full");
  }
  EXPECT_EQ(good->value()->sequence, 2u);
  EXPECT_THAT(Taken(*session_), ElementsAre(2));
  // Its number is gone, its id is free.
  const auto retried = Submit(*session_, event);
  sink_.Say(3);
  EXPECT_EQ(retried->value()->sequence, 3u);
  // Numbers with a gap between them still find their controls.
  for (const auto& [sequence, control_id] : {std::pair(2u, 8u), std::pair(3u, 7u)}) {
    session_->PutApplied(sequence, 4);
    const auto output = session_->Poll(reader);
    const EventApplied expected = {.sequence = sequence, .chunk = 4, .control_id = control_id};
    EXPECT_EQ(std::get<EventApplied>(**output), expected);
  }
  EXPECT_EQ(Submit(*session_, event)->value()->applied_chunk, 4);
}

TEST_F(EventSinkTest, ASessionThatEndsMeanwhileGivesBothReceiptsBeforeItsEnd) {
  int reader_wakes = 0;
  const uint64_t reader = *session_->Attach(-1, [&] { ++reader_wakes; });
  const SessionEvent event = {.kind = EventKind::kPause, .control_id = 7};
  const auto recorded = Submit(*session_, event);
  const auto failed = Submit(*session_, {.kind = EventKind::kResume});
  session_->PutEnd(absl::OkStatus());
  EXPECT_FALSE(session_->Poll(reader)->has_value()) << "the end comes after all receipts";
  EXPECT_EQ(ReasonFor(Submit(*session_, {.kind = EventKind::kEnd})->value().status()),
            Reason::kSessionOver);
  const auto repeated = Submit(*session_, event);

  reader_wakes = 0;
  sink_.Say(1);
  EXPECT_EQ(reader_wakes, 1);
  EXPECT_EQ(recorded->value()->sequence, 1u);
  EXPECT_EQ(repeated->value()->sequence, 1u);
  EXPECT_EQ(std::get<EventApplied>(*session_->Poll(reader).value()).control_id, 7u);
  EXPECT_FALSE(session_->Poll(reader)->has_value());
  EXPECT_TRUE(session_->TakeEvents().empty());
  sink_.Say(2, absl::UnavailableError("full"));
  EXPECT_EQ(reader_wakes, 2);
  EXPECT_FALSE(failed->value().ok());
  EXPECT_TRUE(std::holds_alternative<SessionEnd>(*session_->Poll(reader).value()));
}

TEST_F(EventSinkTest, WhatIsBeingRecordedTakesRoom) {
  const SessionEvent event = {.kind = EventKind::kPause, .control_id = 7};
  Submit(*session_, event);
  Submit(*session_, event);  // who waits beside it counts, too
  Submit(*session_, {.kind = EventKind::kPause});
  for (const SessionEvent& refused : {event, SessionEvent{.kind = EventKind::kPause}}) {
    const absl::Status status = Submit(*session_, refused)->value().status();
    EXPECT_EQ(ReasonFor(status), Reason::kEventsWaiting);
    EXPECT_THAT(std::string(status.message()), HasSubstr("3 events are waiting"));
  }
  Submit(*session_, {.kind = EventKind::kEnd});
  EXPECT_THAT(sink_.numbers(), ElementsAre(1, 2, 3)) << "what is refused uses no number";
  sink_.Say(1, absl::UnavailableError("full"));
  Submit(*session_, {.kind = EventKind::kPause});
  EXPECT_THAT(sink_.numbers(), ElementsAre(2, 3, 4));
  for (const uint64_t number : sink_.numbers()) sink_.Say(number);
}

TEST_F(EventSinkTest, ACopyHoldsWhatIsAcceptedAndNoNumberComesTwice) {
  Submit(*session_, {.kind = EventKind::kPause});
  sink_.Say(1);
  const auto pending = Submit(*session_, {.kind = EventKind::kResume, .control_id = 7});
  const auto other = MakeSession();
  other->BeginAt({.inbox = session_->CopyInbox()});
  sink_.Say(2);
  EXPECT_THAT(Taken(*other), ElementsAre(1));
  Submit(*other, {.kind = EventKind::kResume, .control_id = 7});
  EXPECT_THAT(sink_.numbers(), ElementsAre(3)) << "the id is not known, the number is used";
  sink_.Say(3);
  // Two events wait for their second receipt, so there is room for one.
  EXPECT_FALSE(Submit(*other, {.kind = EventKind::kPause})->has_value());
  sink_.Say(4);
  EXPECT_THAT(Taken(*other), ElementsAre(3, 4));
}

TEST_F(EventSinkTest, AClientIsNotIdleWhileTheSinkIsAtWork) {
  limits_.attached_idle_nanos = 1'000'000'000;
  const auto session = MakeSession();
  ASSERT_TRUE(session->Attach(-1, nullptr).ok());
  session->SetState(SessionState::kPaused);
  Submit(*session, {.kind = EventKind::kResume});
  clock_.Advance(2 * limits_.attached_idle_nanos);
  EXPECT_FALSE(session->Expired());
  sink_.Say(1);
  EXPECT_FALSE(session->Expired()) << "it hears of that only now";
  clock_.Advance(limits_.attached_idle_nanos);
  EXPECT_TRUE(session->Expired());
}

TEST_F(EventSinkTest, WhoSubmittedMayBeTheSessionsLastOwner) {
  std::weak_ptr<Session> seen;
  {
    const auto session = MakeSession();
    seen = session;
    for (int i = 0; i < 2; ++i) {
      session->Submit({.kind = EventKind::kPause}, {}, {}, [session](const Answer&) {});
    }
  }
  sink_.Say(2);
  EXPECT_FALSE(seen.expired());
  sink_.Say(1);
  EXPECT_TRUE(seen.expired());
}

TEST_F(EventSinkTest, WhoWantsNoCallWaits) {
  std::thread disk([&] {
    while (sink_.numbers().empty()) std::this_thread::yield();
    EXPECT_TRUE(session_->TakeEvents().empty());
    sink_.Say(1);
  });
  EXPECT_EQ(session_->Submit({.kind = EventKind::kPause}, {})->sequence, 1u);
  EXPECT_THAT(Taken(*session_), ElementsAre(1));
  disk.join();
}

// The number of the accepted control, 0 when it could not be recorded. No status goes from thread
// to thread: ThreadSanitizer does not see how Debian's Abseil counts its owners.
uint64_t Number(Session& session, uint64_t id) {
  std::promise<uint64_t> number;
  session.Submit({.kind = EventKind::kPause, .control_id = id}, {}, {}, [&](const Answer& answer) {
    EXPECT_TRUE(answer.ok() || absl::IsUnavailable(answer.status())) << answer.status();
    number.set_value(answer.ok() ? answer->sequence : 0);
  });
  return number.get_future().get();
}

// Clients that submit and repeat, a sink that answers in any order and refuses some, an engine that
// takes and a reader that polls, all at once.
TEST_F(EventSinkTest, AnyThreadsAtOnce) {
  constexpr uint64_t kClients = 3;
  constexpr uint64_t kEvents = 200;
  limits_.inbox_events_max = 1000;
  const auto session = MakeSession();
  const uint64_t reader = *session->Attach(-1, nullptr);
  std::atomic<bool> over{false};
  std::thread disk([&] {
    std::mt19937 random(1);
    while (!over) {
      const std::vector<uint64_t> numbers = sink_.numbers();
      if (numbers.empty()) continue;
      const uint64_t number = numbers[random() % numbers.size()];
      sink_.Say(number, number % 7 == 0 ? absl::UnavailableError("full") : absl::OkStatus());
    }
  });
  std::map<uint64_t, uint64_t> taken;  // number by id
  uint64_t last = 0;
  std::thread engine([&] {
    while (!over || taken.size() < kEvents) {
      for (const AcceptedEvent& event : session->TakeEvents()) {
        EXPECT_GT(event.sequence, std::exchange(last, event.sequence));
        EXPECT_TRUE(taken.emplace(event.event.control_id, event.sequence).second) << "twice";
        session->PutApplied(event.sequence, 0);
      }
      while (session->Poll(reader)->has_value()) {
      }
    }
  });
  // Every client sends every control until it is accepted.
  std::vector<std::vector<uint64_t>> accepted(kClients);
  std::vector<std::thread> clients;
  for (uint64_t client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      for (uint64_t id = 1; id <= kEvents; ++id) {
        uint64_t number = 0;
        while (number == 0) number = Number(*session, id);
        accepted[client].push_back(number);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  over = true;
  disk.join();
  engine.join();
  ASSERT_EQ(taken.size(), kEvents);
  for (const std::vector<uint64_t>& numbers : accepted) {
    for (uint64_t id = 1; id <= kEvents; ++id) EXPECT_EQ(numbers[id - 1], taken.at(id));
  }
}

}  // namespace
}  // namespace longtake
