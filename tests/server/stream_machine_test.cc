// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A stream step by step, without a network: what the call and the session do is scripted.
#include "server/stream_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "base/error_reason.h"
#include "engine/serve/making_room.h"
#include "engine/serve/needs_disk.h"
#include "server/limits.h"
#include "tests/engine/scripted_sink.h"
#include "tests/server/scripted_stream.h"

namespace longtake {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

v1::StreamRequest OpenRequest() {
  v1::StreamRequest request;
  request.mutable_open();
  return request;
}

v1::StreamRequest PauseRequest(uint64_t id) {
  v1::StreamRequest request;
  request.mutable_control()->set_id(id);
  request.mutable_control()->mutable_pause();
  return request;
}

v1::StreamRequest StartRequest(int64_t offset, size_t bytes) {
  v1::StreamRequest request;
  request.mutable_start()->set_data_offset(offset);
  request.mutable_start()->set_data(std::string(bytes, 'x'));
  return request;
}

class StreamMachineTest : public ::testing::Test {
 protected:
  StreamMachineTest() { machine_->Start(); }
  // As the owner of the wire does at the end.
  ~StreamMachineTest() override {
    host_->RunTasks();
    machine_->OnDone();
  }

  void Send(const v1::StreamRequest& request) {
    EXPECT_TRUE(wire_.reading) << "nobody reads";
    wire_.reading = false;
    machine_->OnRead(request);
  }
  void Open() {
    Send(OpenRequest());
    host_->RunTasks();
    Written();
  }
  // The write in flight is done; what follows from it is done, too.
  void Written(bool ok = true) {
    EXPECT_TRUE(wire_.writing) << "nothing is being written";
    wire_.writing = false;
    machine_->OnWritten(ok);
    host_->RunTasks();
  }
  void WriteAll() {
    while (wire_.writing) Written();
  }
  void Put(int64_t chunk) {
    host_->session->PutChunk(ScriptedChunk(chunk));
    host_->RunTasks();
  }
  // A chunk that nobody but session and stream holds.
  std::weak_ptr<const MediaChunk> PutWatched() {
    const std::shared_ptr<const MediaChunk> made = ScriptedChunk(0);
    host_->session->PutChunk(made);
    return made;
  }
  // What the call ended with.
  Reason EndReason() const {
    return wire_.finished() ? ReasonFor(*wire_.status) : Reason::kInternal;
  }

  ScriptedWire wire_;
  std::shared_ptr<ScriptedHost> host_ = std::make_shared<ScriptedHost>();
  std::shared_ptr<StreamMachine> machine_ = std::make_shared<StreamMachine>(wire_, host_);
};

TEST_F(StreamMachineTest, ATakeIsOpenedThenChunksThenEnded) {
  Open();
  for (int64_t i = 0; i < 3; ++i) Put(i);
  host_->session->PutEnd(absl::OkStatus());
  WriteAll();
  ASSERT_EQ(wire_.written.size(), 5u);
  EXPECT_TRUE(wire_.written[0].has_opened());
  for (int64_t i = 0; i < 3; ++i) {
    const v1::Chunk& chunk = wire_.written[static_cast<size_t>(i) + 1].chunk();
    EXPECT_EQ(chunk.index(), i);
    EXPECT_EQ(chunk.data(), std::string(kTestChunkFrames * kTestFrameBytes, static_cast<char>(i)));
    EXPECT_TRUE(chunk.last_part());
  }
  EXPECT_TRUE(wire_.written[4].has_ended());
  ASSERT_TRUE(wire_.finished());
  EXPECT_TRUE(wire_.status->ok()) << *wire_.status;
  EXPECT_EQ(host_->delivered_frames, 3 * kTestChunkFrames);
  EXPECT_EQ(host_->delivered_bytes, 3u * kTestChunkFrames * kTestFrameBytes);
  EXPECT_EQ(host_->later_chunks, 2);
  EXPECT_EQ(host_->finished, 1);
  EXPECT_EQ(machine_->report().session_id, "s");
}

TEST_F(StreamMachineTest, AFirstMessageHasToComeInTime) {
  EXPECT_EQ(wire_.wake_nanos, kFirstMessageSeconds * kSecond);
  machine_->OnTime();
  EXPECT_EQ(EndReason(), Reason::kRequestLate);
  EXPECT_EQ(host_->asked, 0);
  EXPECT_FALSE(machine_->report().asked);
}

TEST_F(StreamMachineTest, OnceItCameTheTimeMeansNothing) {
  Open();
  machine_->OnTime();
  EXPECT_FALSE(wire_.finished());
  host_->session->PutEnd(absl::OkStatus());
  host_->RunTasks();
  WriteAll();
  ASSERT_TRUE(wire_.finished());
  machine_->OnTime();
  EXPECT_FALSE(wire_.cancelled) << "the status is still on its way";
}

TEST_F(StreamMachineTest, BytesThatAreNoMessageEndItWithTheirField) {
  machine_->OnGarbled();
  ASSERT_TRUE(wire_.finished());
  EXPECT_EQ(wire_.status->code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FieldOf(*wire_.status), "request");
}

TEST_F(StreamMachineTest, SoDoThoseOfALaterMessage) {
  Open();
  machine_->OnGarbled();
  EXPECT_EQ(EndReason(), Reason::kInvalidField);
  EXPECT_FALSE(host_->session->Info().attached);
}

TEST_F(StreamMachineTest, TheEndOfTheRequestsBeforeTheFirstIsAnError) {
  machine_->OnReadEnd();
  EXPECT_EQ(EndReason(), Reason::kStreamProtocol);
}

// The library says that there are no more messages of a client that is gone, too, and mostly first.
TEST_F(StreamMachineTest, WhetherAClientIsGoneIsKnownWhenTheCallIsDone) {
  for (const bool opened : {false, true}) {
    for (const bool gone : {false, true}) {
      wire_ = ScriptedWire();
      host_ = std::make_shared<ScriptedHost>();
      host_->session = ScriptedSession(host_->clock, ScriptedSpec(1));
      machine_ = std::make_shared<StreamMachine>(wire_, host_);
      machine_->Start();
      if (opened) Open();
      machine_->OnReadEnd();
      EXPECT_TRUE(absl::IsInvalidArgument(*wire_.status));
      EXPECT_EQ(host_->finished, 0);
      if (gone) machine_->OnCancelled();
      machine_->OnDone();
      EXPECT_EQ(host_->finished, 1);
      EXPECT_EQ(host_->finished_code,
                gone ? absl::StatusCode::kCancelled : absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(machine_->report().status.code(), host_->finished_code);
    }
  }
}

TEST_F(StreamMachineTest, ASecondOpenIsAnError) {
  Open();
  Send(OpenRequest());
  EXPECT_EQ(EndReason(), Reason::kStreamProtocol);
}

TEST_F(StreamMachineTest, WhatCannotBeOpenedSaysWhy) {
  host_->open_error = FieldError("open.spec.width", "no");
  Send(OpenRequest());
  host_->RunTasks();
  EXPECT_EQ(EndReason(), Reason::kInvalidField);
  EXPECT_FALSE(host_->closed_unread);
}

// Until the write is done the session keeps everything that comes.
TEST_F(StreamMachineTest, NothingIsPolledWhileAWriteIsInFlight) {
  Send(OpenRequest());
  host_->RunTasks();
  for (int64_t i = 0; i < 4; ++i) Put(i);
  EXPECT_EQ(wire_.written.size(), 1u);
  EXPECT_EQ(host_->session->Info().next_chunk, 0);
  Written();
  EXPECT_EQ(wire_.written.size(), 2u);
  EXPECT_EQ(host_->session->Info().next_chunk, 1) << "one chunk at a time";
}

TEST_F(StreamMachineTest, NothingIsPolledWhileAChunkIsEncoded) {
  Open();
  host_->session->PutChunk(ScriptedChunk(0));
  host_->tasks.front()();  // the wake-up, which takes the chunk
  host_->tasks.pop_front();
  host_->session->PutChunk(ScriptedChunk(1));
  ASSERT_EQ(host_->tasks.size(), 2u) << "an encoding and a wake-up";
  host_->tasks.back()();
  host_->tasks.pop_back();
  EXPECT_EQ(host_->session->Info().next_chunk, 1);
  EXPECT_FALSE(wire_.writing);
  host_->RunTasks();
  EXPECT_TRUE(wire_.writing);
}

TEST_F(StreamMachineTest, AcceptedComesBeforeApplied) {
  Open();
  Send(PauseRequest(7));
  // The session's answer is quicker than the task that asked.
  host_->tasks.front()();
  host_->tasks.pop_front();
  host_->session->PutApplied(1, 0);
  host_->RunTasks();
  WriteAll();
  ASSERT_EQ(wire_.written.size(), 3u);
  EXPECT_TRUE(!wire_.written[1].receipt().has_applied_chunk());
  EXPECT_TRUE(wire_.written[2].receipt().has_applied_chunk());
}

TEST_F(StreamMachineTest, ControlsAreNotReadWhileTheirReceiptsWait) {
  SessionLimits limits;
  limits.inbox_events_max = 1000;
  host_->session = ScriptedSession(host_->clock, ScriptedSpec(), limits);
  Open();
  uint64_t sent = 0;
  while (wire_.reading) {
    Send(PauseRequest(++sent));
    host_->RunTasks();
  }
  // One of them is being written.
  EXPECT_EQ(sent, static_cast<uint64_t>(kUnsentReceiptsMax) + 1);
  Written();
  EXPECT_TRUE(wire_.reading) << "there is room again";
  WriteAll();
  EXPECT_EQ(wire_.written.size(), sent + 1);
}

TEST_F(StreamMachineTest, ARefusedControlIsAReceipt) {
  Open();
  v1::StreamRequest request;
  request.mutable_control()->set_id(3);
  Send(request);
  host_->RunTasks();
  EXPECT_TRUE(wire_.written.back().receipt().has_error());
  EXPECT_FALSE(wire_.finished());
}

TEST_F(StreamMachineTest, WhoIsTakenOverEndsEvenInAWriteThatNeverEnds) {
  Open();
  Put(0);
  ASSERT_TRUE(wire_.writing);
  ASSERT_TRUE(host_->session->Attach(-1, nullptr).ok());
  host_->RunTasks();
  EXPECT_EQ(EndReason(), Reason::kTakenOver);
  EXPECT_EQ(wire_.wake_nanos, kLastWriteSeconds * kSecond);
  EXPECT_FALSE(wire_.cancelled);
  machine_->OnTime();
  EXPECT_TRUE(wire_.cancelled);
  EXPECT_TRUE(host_->session->Info().attached) << "by the other one";
}

// The only wake-up comes while nothing can be written.
TEST_F(StreamMachineTest, SoDoesWhoIsTakenOverWhileItsChunkIsEncoded) {
  Open();
  host_->session->PutChunk(ScriptedChunk(0));
  host_->tasks.front()();  // the wake-up, which takes the chunk
  host_->tasks.pop_front();
  ASSERT_TRUE(host_->session->Attach(-1, nullptr).ok());
  host_->tasks.back()();  // the wake-up of the one that lost
  host_->tasks.pop_back();
  EXPECT_EQ(EndReason(), Reason::kTakenOver);
  host_->RunTasks();
  EXPECT_EQ(wire_.written.size(), 1u) << "Opened alone";
}

TEST_F(StreamMachineTest, SoDoesWhoseControlIsStillBeingRecorded) {
  Open();
  host_->answers_later = true;
  Send(PauseRequest(1));
  host_->RunTasks();
  host_->session->Cancel(Error(Reason::kSessionDeleted, "deleted"));
  host_->RunTasks();
  EXPECT_EQ(EndReason(), Reason::kSessionDeleted);
  host_->Answer();
  EXPECT_EQ(wire_.written.size(), 1u) << "Opened alone";
}

// Whatever ends it, a client that takes nothing does not keep it.
TEST_F(StreamMachineTest, NoEndWaitsForAWriteThatNeverEnds) {
  const std::vector<std::function<void()>> ends = {
      [&] { machine_->OnGarbled(); },
      [&] { Send(OpenRequest()); },
      [&] { Send(StartRequest(1, 1)); },
      [&] { machine_->OnReadEnd(); },
  };
  for (size_t i = 0; i < ends.size(); ++i) {
    wire_ = ScriptedWire();
    host_ = std::make_shared<ScriptedHost>();
    host_->session = ScriptedSession(host_->clock, ScriptedSpec(1));
    machine_->OnDone();
    machine_ = std::make_shared<StreamMachine>(wire_, host_);
    machine_->Start();
    Send(OpenRequest());
    host_->RunTasks();
    ASSERT_TRUE(wire_.writing) << "Opened";
    ends[i]();
    host_->RunTasks();
    ASSERT_TRUE(wire_.finished()) << i;
    EXPECT_EQ(wire_.wake_nanos, kLastWriteSeconds * kSecond) << i;
    machine_->OnTime();
    EXPECT_TRUE(wire_.cancelled) << i;
  }
}

TEST_F(StreamMachineTest, AfterEndedNothingFollows) {
  Open();
  Put(0);
  host_->answers_later = true;
  Send(PauseRequest(1));
  host_->RunTasks();
  host_->session->PutEnd(absl::OkStatus());
  WriteAll();
  host_->Answer();  // refused, as the session has ended
  host_->RunTasks();
  WriteAll();
  ASSERT_TRUE(wire_.finished());
  EXPECT_TRUE(wire_.written.back().has_ended());
}

TEST_F(StreamMachineTest, WhereTooManyWaitItIsToldSo) {
  host_->busy = true;
  Send(OpenRequest());
  EXPECT_EQ(EndReason(), Reason::kServerBusy);
}

TEST_F(StreamMachineTest, ItAsksAgainWhileRoomIsBeingMade) {
  const absl::Status refusal = Error(Reason::kSessionMemoryExhausted, "full");
  host_->open_error = MakingRoom(refusal);
  Send(OpenRequest());
  for (int i = 1; i < 4; ++i) {
    host_->RunTasks();
    EXPECT_EQ(host_->opened, i);
    EXPECT_FALSE(wire_.finished());
    EXPECT_EQ(wire_.wake_nanos, kRoomLookNanos);
    machine_->OnTime();
  }
  host_->open_error = absl::OkStatus();
  host_->RunTasks();
  EXPECT_TRUE(wire_.writing) << "Opened";
}

TEST_F(StreamMachineTest, AndIsToldWhenThereIsNone) {
  host_->open_error = MakingRoom(Error(Reason::kSessionMemoryExhausted, "full"));
  Send(OpenRequest());
  host_->RunTasks();
  host_->open_error = Error(Reason::kSessionMemoryExhausted, "full");
  machine_->OnTime();
  host_->RunTasks();
  EXPECT_EQ(EndReason(), Reason::kSessionMemoryExhausted);
}

TEST_F(StreamMachineTest, WhatNeedsTheDiskTakesItsTurnThere) {
  host_->open_error = NeedsDisk();
  host_->while_opening = [this] {
    if (host_->opened == 2) host_->open_error = absl::OkStatus();
  };
  Send(OpenRequest());
  host_->RunTasks();
  EXPECT_EQ(host_->opened, 2);
  EXPECT_TRUE(wire_.writing) << "Opened";
}

TEST_F(StreamMachineTest, WhereTooMuchWaitsItIsBusy) {
  host_->open_error = NeedsDisk();
  host_->while_opening = [this] { host_->busy = true; };
  Send(OpenRequest());
  host_->RunTasks();
  EXPECT_EQ(EndReason(), Reason::kServerBusy);
}

TEST_F(StreamMachineTest, NobodyOpensForAClientThatLeft) {
  Send(OpenRequest());
  machine_->OnCancelled();
  host_->RunTasks();
  EXPECT_EQ(host_->opened, 0);
}

TEST_F(StreamMachineTest, OfADeletedSessionNothingIsHeld) {
  Open();
  const std::weak_ptr<const MediaChunk> chunk = PutWatched();
  host_->RunTasks();
  ASSERT_TRUE(wire_.writing);
  Put(1);
  host_->session->Cancel(Error(Reason::kSessionDeleted, "deleted"));
  host_->RunTasks();
  EXPECT_EQ(EndReason(), Reason::kSessionDeleted);
  EXPECT_TRUE(chunk.expired());
  const std::weak_ptr<Session> session = host_->session;
  host_->session = nullptr;
  EXPECT_TRUE(session.expired());
}

TEST_F(StreamMachineTest, AfterOnDoneTheCallIsNotTouched) {
  Open();
  Put(0);
  ASSERT_TRUE(host_->session->Attach(-1, nullptr).ok());
  host_->RunTasks();
  ASSERT_TRUE(wire_.finished());
  machine_->OnDone();
  machine_->OnTime();
  EXPECT_FALSE(wire_.cancelled);
}

TEST_F(StreamMachineTest, AClientThatLeavesWhileItIsOpenedReadsNothing) {
  Send(OpenRequest());
  host_->while_opening = [&] { machine_->OnCancelled(); };
  host_->RunTasks();
  ASSERT_TRUE(wire_.finished());
  EXPECT_TRUE(host_->closed_unread);
  EXPECT_TRUE(wire_.written.empty());
}

TEST_F(StreamMachineTest, AWriteThatFailsDetaches) {
  Open();
  Put(0);
  Written(false);
  EXPECT_EQ(wire_.status->code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(host_->session->Info().attached);
}

TEST_F(StreamMachineTest, AChunkThatWasBeingEncodedAtTheEndIsDropped) {
  Open();
  const std::weak_ptr<const MediaChunk> chunk = PutWatched();
  host_->tasks.front()();  // the wake-up, which takes the chunk
  host_->tasks.pop_front();
  machine_->OnCancelled();
  host_->session->Cancel(Error(Reason::kSessionDeleted, "deleted"));
  EXPECT_FALSE(chunk.expired()) << "the task has it";
  host_->RunTasks();
  EXPECT_TRUE(chunk.expired());
}

TEST_F(StreamMachineTest, StartFramesComeWholeOrTheCallEnds) {
  host_->session = ScriptedSession(host_->clock, ScriptedSpec(1));
  Open();
  Send(StartRequest(0, 700));
  host_->RunTasks();
  EXPECT_FALSE(wire_.finished());
  machine_->OnReadEnd();
  ASSERT_TRUE(wire_.finished());
  EXPECT_EQ(FieldOf(*wire_.status), "start.data");
}

TEST_F(StreamMachineTest, AndInOrder) {
  host_->session = ScriptedSession(host_->clock, ScriptedSpec(1));
  Open();
  Send(StartRequest(1, 100));
  host_->RunTasks();
  EXPECT_EQ(FieldOf(*wire_.status), "start.data_offset");
}

TEST_F(StreamMachineTest, TheNextPartIsReadWhenTheLastIsRecorded) {
  ScriptedSink sink;
  host_->session = ScriptedSession(host_->clock, ScriptedSpec(1), {}, sink);
  Open();
  Send(StartRequest(0, 700));
  host_->RunTasks();
  EXPECT_FALSE(wire_.reading);
  sink.SayStart(0);
  EXPECT_FALSE(wire_.reading) << "not on the recorder's thread";
  host_->RunTasks();
  EXPECT_TRUE(wire_.reading);
  Send(StartRequest(700, 20));
  host_->RunTasks();
  sink.SayStart(700, Error(Reason::kSessionParked, "parked"));
  host_->RunTasks();
  EXPECT_EQ(EndReason(), Reason::kSessionParked);
}

TEST_F(StreamMachineTest, AHalfCloseIsNoEnd) {
  Open();
  machine_->OnReadEnd();
  Put(0);
  EXPECT_EQ(wire_.written.size(), 2u);
  EXPECT_FALSE(wire_.finished());
}

TEST_F(StreamMachineTest, AFailedSessionGivesItsStatus) {
  Open();
  host_->session->PutEnd(Error(Reason::kPackCorrupt, "a layer"));
  host_->RunTasks();
  EXPECT_EQ(EndReason(), Reason::kPackCorrupt);
}

TEST_F(StreamMachineTest, TheFirstChunkCountsFromTheStartOfTheCall) {
  host_->clock.Advance(3 * kSecond);
  Open();
  Put(0);
  EXPECT_DOUBLE_EQ(host_->first_chunk_seconds, 3.0);
}

}  // namespace
}  // namespace longtake
