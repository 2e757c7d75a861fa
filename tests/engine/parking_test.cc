// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Many sessions with memory for two of them: they take turns, parked when others need the room, and
// back when their client is.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/serve/making_room.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

constexpr int kSessions = 64;
constexpr size_t kTurnChunks = 10;
constexpr size_t kOutboxChunks = 5;
// More than its turns and an outbox, so that none comes to its end and gives its memory back.
constexpr size_t kChunks = 2 * kTurnChunks + kOutboxChunks + 2;
constexpr int64_t kSide = 16;
constexpr int64_t kSecond = 1'000'000'000;

// One step a chunk is enough to be told apart.
SessionSpec Spec(int session) {
  SessionSpec spec = SmallSpec("a red circle moving to the right",
                               static_cast<uint64_t>(session % 4), 12 * int64_t{kChunks} - 3);
  spec.steps = {1000};
  spec.width = spec.height = kSide;
  return spec;
}

class ParkingTest : public testing::Test {
 protected:
  ParkingTest() {
    auto store = SessionStore::Open({.files = &PosixFileSystem(),
                                     .directory = scratch_.directory() + "/state",
                                     .holder = "the test"},
                                    engine_.clock());
    LT_CHECK(store.ok());
    store_ = *std::move(store);
  }
  ~ParkingTest() override {
    store_->Stop();
    engine_.Stop();
  }

  void RunUntilIdle() {
    while (engine_->Step() || engine_->Step() || store_->Step()) {
    }
  }
  Caller Asking() { return {.asks_until_nanos = engine_.clock().MonotonicNanos() + 2 * kSecond}; }
  // As a client that asks again while room is being made.
  std::shared_ptr<Session> Wake(int number, int64_t next_chunk) {
    const std::string id = "s" + std::to_string(number);
    for (int i = 0; i < 100; ++i) {
      absl::StatusOr<std::shared_ptr<Session>> session;
      if (next_chunk == 0) {
        const auto created = engine_->CreateSession(*engine_->Resolve(Spec(number)), id, Asking());
        session = created.ok() ? absl::StatusOr<std::shared_ptr<Session>>(created->session)
                               : created.status();
      } else {
        session = engine_->Wake(id, next_chunk, Asking());
      }
      if (session.ok()) return *session;
      EXPECT_TRUE(IsMakingRoom(session.status())) << session.status();
      ++waits_;
      RunUntilIdle();
      engine_.clock().Advance(kRoomLookNanos);
    }
    return nullptr;
  }
  // The digests of a turn; its client is away afterwards.
  std::vector<std::string> TakeTurn(int number, size_t next_chunk) {
    const std::shared_ptr<Session> session = Wake(number, static_cast<int64_t>(next_chunk));
    LT_CHECK(session != nullptr);
    const uint64_t reader = *session->Attach(static_cast<int64_t>(next_chunk), nullptr);
    Received received;
    while (received.chunks.size() < kTurnChunks) {
      if (!engine_->Step() && !engine_->Step() && !store_->Step()) break;
      PollAll(*session, reader, &received);
    }
    session->Detach(reader);
    engine_.clock().Advance(2 * kSecond);
    std::vector<std::string> digests = received.Digests();
    digests.resize(std::min(digests.size(), kTurnChunks));
    return digests;
  }

  const ScratchDirectory scratch_;
  TestEngine engine_;
  std::unique_ptr<SessionStore> store_;
  int waits_ = 0;
};

TEST_F(ParkingTest, ManySessionsTakeTurnsWithMemoryForTwo) {
  std::vector<std::vector<std::string>> straight;
  for (int i = 0; i < 4; ++i) {
    straight.push_back(ReadToEnd(engine_, **engine_.CreateSession(Spec(i), "")).Digests());
    ASSERT_EQ(straight.back().size(), kChunks);
  }
  EngineOptions options = EngineSetup().engine;
  options.store = store_.get();
  options.prompt_cache_bytes_max = 1 << 20;
  options.session.outbox_bytes_max = kOutboxChunks * 12 * kSide * kSide * 3;
  options.kv_bytes_max = 2 * engine_.Estimate(Spec(0))->kv_bytes;
  ASSERT_TRUE(engine_.Renew(options).ok());
  for (const size_t next_chunk : {size_t{0}, kTurnChunks}) {
    for (int i = 0; i < kSessions; ++i) {
      const std::vector<std::string>& all = straight[static_cast<size_t>(i) % 4];
      const auto begin = all.begin() + static_cast<ptrdiff_t>(next_chunk);
      ASSERT_EQ(TakeTurn(i, next_chunk), std::vector<std::string>(begin, begin + kTurnChunks)) << i;
      ASSERT_LE(engine_->Sessions().size(), 2u);
    }
  }
  EXPECT_GE(waits_, 2 * kSessions - 2);
  EXPECT_EQ(store_->stats().sessions, kSessions);
}

}  // namespace
}  // namespace longtake
