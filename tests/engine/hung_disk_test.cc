// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A session store's disk that does not answer for a while: who needs nothing of it does not notice,
// who does is told in time, and what he asked for is found or can be asked for again.
#include <atomic>
#include <thread>

#include "base/error_reason.h"
#include "engine/serve/making_room.h"
#include "engine/serve/needs_disk.h"
#include "tests/base/gate.h"
#include "tests/engine/resume_fixture.h"
#include "tests/storage/fault_file.h"
#include "tests/storage/file_system_vfs.h"

namespace longtake {
namespace {

using testing::HasSubstr;

const Caller kMustNotWait = {.peer = {}, .asks_until_nanos = 0, .may_wait = false};
// By a clock that the test moves.
constexpr int64_t kAnswerNanos = 2'000'000;

struct StoreFiles {
  FaultFileSystem files{PosixFileSystem()};
  FileSystemVfs vfs{files, /*seed=*/1};
};

class HungDiskTest : private StoreFiles, public ResumeTest {
 protected:
  HungDiskTest() {
    store_files_ = &files;
    store_vfs_ = vfs.name();
    answer_nanos_max_ = kAnswerNanos;
    Begin();
  }
  ~HungDiskTest() override {
    gate_.Open();
    store_->Stop();
    files.set_decide_sync(nullptr);
  }
  // The next sync comes to no end before the gate is open.
  void HangAtNextSync() {
    files.set_decide_sync([this](const std::string&) {
      gate_at_.load()->Pass();
      return absl::OkStatus();
    });
    store_->Start();
  }
  // The store's thread is in one.
  void Hang() {
    HangAtNextSync();
    engine_.clock().Advance(1);  // or its row stays what it is, and nothing is written
    store_->PutInUse({.id = "parked"}, false);
    gate_.AwaitArrivals(1);
  }
  void AwaitAnswer() {
    while (!store_->Flush().ok()) std::this_thread::yield();
  }
  uint64_t WaitingBytes() const { return store_->stats().queue.waiting_bytes; }
  void AwaitMoreThan(uint64_t bytes) const {
    while (WaitingBytes() <= bytes) std::this_thread::yield();
  }
  static void ExpectNoAnswer(const absl::Status& status) {
    EXPECT_EQ(ReasonFor(status), Reason::kStorageUnavailable) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("does not answer"));
  }

  Gate gate_;
  std::atomic<Gate*> gate_at_{&gate_};
};

TEST_F(HungDiskTest, WhatMemoryHasNeedsNoDisk) {
  Create(Spec(8), "parked");
  ReadSome("parked", 0, 1);
  ASSERT_TRUE(engine_->Park("parked").ok());
  const auto session = Create(Spec(8), "one");
  ReadSome("one", 0, 2);
  RunUntilIdle();
  Hang();
  const auto woken = engine_->Wake("one", 2, kMustNotWait);
  ASSERT_TRUE(woken.ok()) << woken.status();
  EXPECT_EQ(*woken, session);
  const uint64_t reader = *session->Attach(2, nullptr);
  Received received;
  PollAll(*session, reader, &received);
  EXPECT_FALSE(received.chunks.empty()) << "what its outbox holds";
  EXPECT_TRUE(engine_->Describe("one", kMustNotWait).ok());
  const SessionName one = {.create_wall_nanos = 0, .id = "one"};
  EXPECT_TRUE(engine_->DescribeSome({&one, 1}, 1 << 20, kMustNotWait).ok());
  // Nobody waits for what nobody has.
  EXPECT_EQ(ReasonFor(engine_->Wake("none", -1, kMustNotWait).status()), Reason::kSessionNotFound);
  EXPECT_EQ(ReasonFor(engine_->Describe("none", kMustNotWait).status()), Reason::kSessionNotFound);
  // And the rest says that it would have to.
  const SessionName parked = {.create_wall_nanos = 0, .id = "parked"};
  EXPECT_TRUE(IsNeedsDisk(engine_->Wake("parked", -1, kMustNotWait).status()));
  EXPECT_TRUE(IsNeedsDisk(engine_->Describe("parked", kMustNotWait).status()));
  EXPECT_TRUE(IsNeedsDisk(engine_->DescribeSome({&parked, 1}, 1 << 20, kMustNotWait).status()));
  EXPECT_TRUE(IsNeedsDisk(engine_->DeleteSession("parked", kMustNotWait)));
  EXPECT_TRUE(IsNeedsDisk(engine_->CreateSession(session->spec(), "new", kMustNotWait).status()));
}

TEST_F(HungDiskTest, WhoNeedsTheDiskIsToldInTime) {
  Create(Spec(8), "parked");
  ReadSome("parked", 0, 3);
  ASSERT_TRUE(engine_->Park("parked").ok());
  RunUntilIdle();
  const auto stored = store_->Load("parked");
  ASSERT_TRUE(stored.ok());
  ASSERT_FALSE(stored->settled.empty());
  Hang();
  engine_.clock().Advance(kAnswerNanos);
  ExpectNoAnswer(store_->Create(SessionKey{"new"}, stored->created));
  ExpectNoAnswer(store_->Delete("parked"));
  ExpectNoAnswer(store_->Fork("parked", {.id = "fork"}));
  ExpectNoAnswer(store_->Rewind("parked", 0));
  ExpectNoAnswer(store_->Flush());
  ExpectNoAnswer(store_->Load("parked").status());
  ExpectNoAnswer(store_->Describe("parked").status());
  ExpectNoAnswer(store_->DescribeSome({"parked"}, 1 << 20).status());
  ExpectNoAnswer(store_->LoadLatents(stored->settled[0]).status());
  ExpectNoAnswer(store_->LoadStart("parked", 1 << 20).status());
  ExpectNoAnswer(store_->LoadSnapshots("parked").status());
  ExpectNoAnswer(engine_->Wake("parked", -1).status());
  ExpectNoAnswer(engine_->Rewind("parked", 0));
  ExpectNoAnswer(engine_->Park("parked"));
  ExpectNoAnswer(engine_->DeleteSession("parked"));
  gate_.Open();
  // Nobody was told of any of it, and nothing of it has happened.
  AwaitAnswer();
  EXPECT_FALSE(store_->Contains("new"));
  EXPECT_FALSE(store_->Contains("fork"));
  const auto after = store_->Load("parked");
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->epoch, 0);
  EXPECT_TRUE(engine_->Wake("parked", -1).ok());
}

// Of what was under way when it was given up a client finds the outcome when he asks again, even
// before it is there.
TEST_F(HungDiskTest, WhoAsksAgainFindsWhatTheDiskTookAfterAll) {
  const ResolvedSpec spec = *engine_->Resolve(Spec(8));
  Create(Spec(8), "parked");
  Hang();
  uint64_t before = WaitingBytes();
  std::thread first([&] { ExpectNoAnswer(engine_->CreateSession(spec, "new").status()); });
  AwaitMoreThan(before);
  engine_.clock().Advance(kAnswerNanos / 2);
  Gate second_sync;
  gate_at_ = &second_sync;
  gate_.Open();
  second_sync.AwaitArrivals(1);
  engine_.clock().Advance(kAnswerNanos / 2);
  first.join();
  EXPECT_EQ(ReasonFor(engine_->FindSession("new").status()), Reason::kSessionNotFound);
  EXPECT_FALSE(store_->Contains("new"));
  before = WaitingBytes();
  std::thread opens([&] {
    AwaitMoreThan(before);
    second_sync.Open();
  });
  const auto created = engine_->CreateSession(spec, "new");
  opens.join();
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_FALSE(created->is_new);
  EXPECT_EQ(*engine_->FindSession("new"), created->session);
}

TEST_F(HungDiskTest, WhatNobodyAsksForAgainEndsByItself) {
  HangAtNextSync();
  std::thread clock([this] {
    gate_.AwaitArrivals(1);
    engine_.clock().Advance(kAnswerNanos);
  });
  ExpectNoAnswer(engine_->CreateSession(*engine_->Resolve(Spec(8)), "new").status());
  clock.join();
  gate_.Open();
  AwaitAnswer();
  ASSERT_TRUE(store_->Contains("new"));
  EXPECT_TRUE(store_->ExpiryOf("new").has_value()) << "nobody has it in memory";
}

// One that takes long on its way back holds up nobody else.
TEST_F(HungDiskTest, SessionsComeBackBesideEachOther) {
  for (const char* id : {"slow", "quick"}) {
    Create(Spec(8), id);
    ReadSome(id, 0, 1);
    ASSERT_TRUE(engine_->Park(id).ok());
  }
  RunUntilIdle();
  store_->Start();
  on_resume_ = [&](const ResumeReport& report) {
    if (report.id == "slow") gate_.Pass();
  };
  std::thread slow([this] { EXPECT_TRUE(engine_->Wake("slow", -1).ok()); });
  gate_.AwaitArrivals(1);
  EXPECT_TRUE(engine_->Wake("quick", -1).ok());
  gate_.Open();
  slow.join();
}

// Who can ask again keeps no thread while something is done to his session.
TEST_F(HungDiskTest, WhoWantsTheSameSessionAsksAgain) {
  Create(Spec(8), "parked");
  ASSERT_TRUE(engine_->Park("parked").ok());
  RunUntilIdle();
  Hang();
  const uint64_t before = WaitingBytes();
  std::thread deletes([this] { EXPECT_TRUE(engine_->DeleteSession("parked").ok()); });
  AwaitMoreThan(before);
  const int64_t now_nanos = engine_.clock().MonotonicNanos();
  for (const bool may_ask_again : {true, false}) {
    const Caller asks = {.peer = {}, .asks_until_nanos = now_nanos + (may_ask_again ? 1 : 0)};
    const absl::Status busy = engine_->Wake("parked", -1, asks).status();
    EXPECT_EQ(ReasonFor(busy), Reason::kServerBusy) << busy;
    EXPECT_EQ(IsMakingRoom(busy), may_ask_again);
  }
  gate_.Open();
  deletes.join();
}

// Who deleted a session that was being made was told that it is gone.
TEST_F(HungDiskTest, WhatWasDeletedMeanwhileDoesNotComeBack) {
  HangAtNextSync();
  std::thread makes([this] {
    ExpectNoAnswer(engine_->CreateSession(*engine_->Resolve(Spec(8)), "new").status());
  });
  gate_.AwaitArrivals(1);
  const auto session = *engine_->FindSession("new");
  std::thread deletes([this] { EXPECT_TRUE(engine_->DeleteSession("new").ok()); });
  while (!session->cancelled()) std::this_thread::yield();
  engine_.clock().Advance(kAnswerNanos);
  makes.join();
  deletes.join();
  gate_.Open();
  AwaitAnswer();
  ASSERT_TRUE(store_->Contains("new"));
  EXPECT_EQ(store_->ExpiryOf("new"), 0) << "its retention is over";
}

}  // namespace
}  // namespace longtake
