// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The threads of a server and of its clients, all at once, at the same few sessions. What each
// makes of it is chance; that every call is answered and every session goes on as it must is not.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/serve/engine.h"
#include "engine/serve/making_room.h"
#include "tests/base/tried.h"
#include "tests/engine/hash_model.h"
#include "tests/engine/take_oracle.h"

namespace longtake {
namespace {

constexpr int64_t kChunks = 40;
constexpr int64_t kSecond = 1'000'000'000;

class SessionRacesTest : public testing::Test {
 protected:
  SessionRacesTest() {
    auto store = SessionStore::Open({.files = &PosixFileSystem(),
                                     .directory = scratch_.directory() + "/state",
                                     .holder = "the test",
                                     .snapshot_turn_bytes = 64},
                                    clock_);
    LT_CHECK(store.ok());
    store_ = *std::move(store);
    EngineOptions options;
    options.kv_page_bytes = 64;
    options.kv_bytes_max = 1 << 20;
    options.session.outbox_bytes_max = uint64_t{3} * 12 * 16 * 16 * 3;
    options.session.attaches = {.at_once_max = 1 << 20, .interval_nanos = 1};
    options.store = store_.get();
    options.resume_seconds_max = 0;
    auto engine = Engine::Create(*model_, options, clock_);
    LT_CHECK(engine.ok());
    engine_ = *std::move(engine);
    spec_ = Spec();
    expected_ = TakeOracle(*model_, spec_, {}, {}).Digests(kChunks);
    store_->Start();
    engine_->Start();
  }
  // As a server ends: the store answers what the engine's sessions wait for.
  ~SessionRacesTest() override {
    engine_->Stop();
    store_->Stop();
    engine_ = nullptr;
  }

  ResolvedSpec Spec() const {
    SessionSpec spec = SmallSpec("a red circle", 1, 12 * kChunks - 3);
    spec.width = spec.height = 16;
    return *engine_->Resolve(spec);
  }
  Caller Asking() { return {.asks_until_nanos = clock_.MonotonicNanos() + kSecond / 10}; }
  absl::StatusOr<std::shared_ptr<Session>> Wake(const std::string& id, int64_t next_chunk) {
    const Caller caller = Asking();
    for (;;) {
      auto session = engine_->Wake(id, next_chunk, caller);
      if (session.ok() || !IsMakingRoom(session.status())) return session;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  // Some chunks, held against the model; false when somebody ended it.
  bool Read(const std::string& id, int64_t first, int64_t chunks) {
    const auto session = Wake(id, first);
    Expect(session.status());
    if (!session.ok()) return false;
    const auto reader = (*session)->Attach(first, nullptr);
    Expect(reader.status());
    if (!reader.ok()) return false;
    const int64_t end_nanos = clock_.MonotonicNanos() + 30 * kSecond;
    for (int64_t next = first; next < first + chunks;) {
      EXPECT_LT(clock_.MonotonicNanos(), end_nanos);
      if (clock_.MonotonicNanos() > end_nanos) return false;
      const auto output = (*session)->Poll(*reader);
      if (!output.ok() || (output->has_value() && std::holds_alternative<SessionEnd>(**output))) {
        return false;
      }
      if (!output->has_value()) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        continue;
      }
      const auto& chunk = std::get<std::shared_ptr<const MediaChunk>>(**output);
      EXPECT_EQ(chunk->index, next);
      EXPECT_EQ(chunk->digest, expected_[static_cast<size_t>(next++)]);
    }
    (*session)->Detach(*reader);
    return true;
  }
  // Others may be quicker, but nothing breaks.
  static void Expect(const absl::Status& status) {
    EXPECT_FALSE(absl::IsInternal(status) || absl::IsDataLoss(status) ||
                 absl::IsUnavailable(status) || absl::IsInvalidArgument(status))
        << status;
  }
  void Act(const std::string& id, std::mt19937_64& dice) {
    const auto first = static_cast<int64_t>(dice() % 6);
    switch (dice() % 7) {
      case 0:
        ++parks_asked_;
        if (!engine_->Park(id, [this] { ++parks_answered_; }).ok()) ++parks_answered_;
        break;
      case 1:
        Expect(engine_->Rewind(id, first));
        break;
      case 2:
        Expect(
            engine_->Fork(id, {.id = absl::StrCat("fork", dice() % 2), .chunk = first}).status());
        break;
      case 3:
        Expect(engine_->DeleteSession(id));
        break;
      case 4:
        Expect(engine_->CreateSession(spec_, id, Asking()).status());
        break;
      default:
        Read(id, first, static_cast<int64_t>(dice() % 4));
        break;
    }
  }

  // What a call says of a session of this very spec, on a disk that is well: it is done, or there
  // is no such session at the moment, or it is worth asking again.
  static void ExpectOfOne(const char* call, const absl::Status& status) {
    const Reason reason = ReasonFor(status);
    EXPECT_TRUE(status.ok() || reason == Reason::kServerBusy ||
                reason == Reason::kSessionMemoryExhausted ||
                (absl::StrContains(call, "create") ? reason == Reason::kSessionDeleted
                                                   : reason == Reason::kSessionNotFound))
        << call << ": " << status;
  }
  void ActOnOne(std::mt19937_64& dice) {
    switch (dice() % 5) {
      case 0:
        Park("a");
        break;
      case 1:
        ExpectOfOne("delete", engine_->DeleteSession("a"));
        break;
      case 2:
      case 3:
        ExpectOfOne("create", engine_->CreateSession(spec_, "a", Asking()).status());
        break;
      default:
        ReadOne(static_cast<int64_t>(dice() % 3));
        break;
    }
  }
  void Park(const std::string& id) {
    ++parks_asked_;
    const absl::Status parked = engine_->Park(id, [this] { ++parks_answered_; });
    if (!parked.ok()) ++parks_answered_;
    ExpectOfOne("park", parked);
  }
  void ReadOne(int64_t chunks) {
    const auto session = Wake("a", 0);
    ExpectOfOne("attach", session.status());
    if (!session.ok()) return;
    const auto reader = (*session)->Attach(0, nullptr);
    const int64_t end_nanos = clock_.MonotonicNanos() + kSecond / 20;
    absl::Status ended;
    while (reader.ok() && ended.ok() && chunks > 0 && clock_.MonotonicNanos() < end_nanos) {
      const auto output = (*session)->Poll(*reader);
      ended = output.ok() ? (*session)->CheckReader(*reader) : output.status();
      if (output.ok() && output->has_value()) --chunks;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    EXPECT_TRUE(ended.ok() || absl::IsCancelled(ended) || absl::IsAborted(ended)) << ended;
  }
  void ExpectNothingIsLeft(int64_t seconds) {
    const int64_t end_nanos = clock_.MonotonicNanos() + seconds * kSecond;
    while (clock_.MonotonicNanos() < end_nanos &&
           (parks_answered_ != parks_asked_ || engine_->stats().kv_bytes != 0)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(parks_answered_, parks_asked_);
    EXPECT_EQ(engine_->stats().kv_bytes, 0u);
    EXPECT_TRUE(engine_->Names().empty());
    EXPECT_EQ(store_->stats().bytes, 0u);
  }

  const ScratchDirectory scratch_;
  SystemClock clock_;
  const std::unique_ptr<HashModel> model_ = HashModel::Open("self-forcing");
  std::unique_ptr<SessionStore> store_;
  std::unique_ptr<Engine> engine_;
  ResolvedSpec spec_;
  std::vector<Hash128> expected_;
  std::atomic<int> parks_asked_ = 0;
  std::atomic<int> parks_answered_ = 0;
};

TEST_F(SessionRacesTest, AllIsAnsweredAndEverySessionGoesOn) {
  const Seeds seeds = SeedsToTry(/*otherwise=*/1);
  std::vector<std::thread> threads;
  for (uint64_t number = 0; number < 4; ++number) {
    threads.emplace_back([this, number, seeds] {
      std::mt19937_64 dice(seeds.first * 4 + number);
      constexpr const char* kIds[] = {"a", "b", "fork0", "fork1"};
      for (uint64_t i = 0; i < 200 * (seeds.end - seeds.first); ++i) Act(kIds[dice() % 4], dice);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const SessionName& name : engine_->Names()) {
    EXPECT_TRUE(Read(name.id, 0, kChunks)) << name.id;
    EXPECT_TRUE(engine_->DeleteSession(name.id).ok()) << name.id;
  }
  ExpectNothingIsLeft(/*seconds=*/30);
}

// One name, which many make, read, park and delete: each call finds the session or finds it gone,
// and whichever was made last can be found by its name.
TEST_F(SessionRacesTest, OneNameIsOneSession) {
  const Seeds seeds = SeedsToTry(/*otherwise=*/1);
  std::vector<std::thread> threads;
  for (uint64_t number = 0; number < 8; ++number) {
    threads.emplace_back([this, number, seeds] {
      std::mt19937_64 dice(seeds.first * 8 + number);
      const uint64_t calls = 100 * (seeds.end - seeds.first);
      for (uint64_t i = 0; i < calls && !HasFailure(); ++i) ActOnOne(dice);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const absl::Status deleted = engine_->DeleteSession("a");
  EXPECT_TRUE(deleted.ok() || absl::IsNotFound(deleted)) << deleted;
  ExpectNothingIsLeft(/*seconds=*/10);
}

// Deleted is deleted, also when its client came back in the same moment.
TEST_F(SessionRacesTest, ASessionThatIsDeletedWhileItWakesIsGone) {
  for (int i = 0; i < 100 && !HasFailure(); ++i) {
    ASSERT_TRUE(engine_->CreateSession(spec_, "a").ok());
    Read("a", 0, 2);
    ASSERT_TRUE(engine_->Park("a").ok());
    std::thread waking([this] { Expect(engine_->Wake("a", 0).status()); });
    std::this_thread::sleep_for(std::chrono::microseconds(20 * i));
    EXPECT_TRUE(engine_->DeleteSession("a").ok());
    waking.join();
    EXPECT_FALSE(engine_->FindSession("a").ok()) << i;
    EXPECT_TRUE(engine_->Names().empty()) << i;
  }
}

}  // namespace
}  // namespace longtake
