// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One peer has no more than its share of places and memory, and the others do not notice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error_reason.h"
#include "engine/serve/resolve.h"
#include "engine/serve/session_memory.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

SessionSpec Spec(uint64_t seed = 1) { return SmallSpec("a red circle", seed, 33); }

absl::Status Create(TestEngine& engine, const std::string& peer, const SessionSpec& spec = Spec(),
                    const std::string& id = "") {
  return engine->CreateSession(*engine->Resolve(spec), id, {.peer = peer}).status();
}

SessionEstimate Estimate(TestEngine& engine, const std::string& peer) {
  return *engine->Estimate(*engine->Resolve(Spec()), {.peer = peer});
}

SessionMemory MemoryOf(TestEngine& engine, const SessionSpec& spec) {
  const ResolvedSpec resolved = *engine->Resolve(spec);
  return MeasureSession(resolved, RolloutFor(resolved, engine.model()), engine.model(),
                        EngineSetup().engine.session.outbox_bytes_max)
      ->OfHost();
}

EngineSetup WithShare(uint64_t percent) {
  EngineSetup setup;
  setup.engine.peer_share_percent = percent;
  return setup;
}

void ExpectRefused(const absl::Status& status, const std::string& what) {
  EXPECT_EQ(ReasonFor(status), Reason::kPeerShareExhausted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

TEST(PeerShareTest, OfPlaces) {
  EngineSetup setup = WithShare(50);
  setup.engine.sessions_max = 5;
  TestEngine engine(setup);
  EXPECT_TRUE(Create(engine, "a", Spec(), "first").ok());
  EXPECT_TRUE(Create(engine, "a").ok());
  ExpectRefused(Create(engine, "a"), "one peer may have 2 session places (peer-share), a has 2");
  EXPECT_TRUE(Create(engine, "a", Spec(), "first").ok()) << "it is there";
  EXPECT_TRUE(Create(engine, "b").ok());
  EXPECT_TRUE(Create(engine, "").ok()) << "the program itself";
  ASSERT_TRUE(engine->DeleteSession("first").ok());
  EXPECT_TRUE(Create(engine, "a").ok());
}

// 0.29 * 100 is less than 29.
TEST(PeerShareTest, IsExactAndNeverNothing) {
  const MemoryLedger whole = {.host = Ledger::Create(1000), .device = Ledger::Create(3000)};
  for (uint64_t percent = 1; percent < 100; ++percent) {
    PeerShares shares(percent, {.places = 100, .kv = 200, .kv_file = 0, .memory = whole});
    const auto share = shares.Of("a");
    EXPECT_EQ(share->places->bytes_max(), percent);
    EXPECT_EQ(share->kv->bytes_max(), 2 * percent);
    EXPECT_EQ(share->memory.host->bytes_max(), 10 * percent);
    EXPECT_EQ(share->memory.device->bytes_max(), 30 * percent);
  }
  PeerShares small(10, {.places = 3, .kv = 0, .kv_file = 0, .memory = whole});
  EXPECT_EQ(small.Of("a")->places->bytes_max(), 1u);
  PeerShares large(50, {.places = 1, .kv = UINT64_MAX, .kv_file = 0, .memory = whole});
  EXPECT_EQ(large.Of("a")->kv->bytes_max(), UINT64_MAX / 2);
}

TEST(PeerShareTest, OfKeysAndValues) {
  TestEngine any;
  const uint64_t kv = any.Estimate(Spec())->kv_bytes;
  EngineSetup setup = WithShare(50);
  setup.engine.kv_bytes_max = 4 * kv;
  TestEngine engine(setup);
  EXPECT_TRUE(Create(engine, "a").ok());
  EXPECT_TRUE(Create(engine, "a").ok());
  EXPECT_FALSE(Estimate(engine, "a").fits_now);
  ExpectRefused(Create(engine, "a"), "bytes for keys and values");
  EXPECT_EQ(engine->stats().kv_bytes, 2 * kv) << "what is refused keeps nothing";
  EXPECT_TRUE(Create(engine, "b").ok());
}

TEST(PeerShareTest, OfTheFileOfKeysAndValues) {
  TestEngine any;
  const uint64_t kv = any.Estimate(Spec())->kv_bytes;
  EngineSetup setup = WithShare(50);
  setup.engine.kv_bytes_max = kv / 2;
  setup.engine.files = &PosixFileSystem();
  setup.engine.kv_file_directory = std::filesystem::temp_directory_path().string();
  setup.engine.kv_file_bytes_max = 5 << 20;
  setup.engine.kv_stream.bytes = 4 << 20;
  TestEngine engine(setup);
  const uint64_t in_file = engine.Estimate(Spec())->kv_bytes;
  uint64_t sessions = 0;
  absl::Status refused;
  while ((refused = Create(engine, "a")).ok()) ++sessions;
  ExpectRefused(refused, "bytes of kv-file");
  EXPECT_EQ(sessions, (uint64_t{5} << 19) / in_file);
  EXPECT_TRUE(Create(engine, "b").ok());
}

// What decoders work in is shared, so it counts once, as it does for all sessions.
TEST(PeerShareTest, OfOtherMemory) {
  TestEngine any;
  const SessionMemory memory = MemoryOf(any, Spec());
  EngineSetup setup = WithShare(50);
  setup.engine.session_bytes_max = 2 * (2 * memory.held().host + memory.decode_scratch.host) + 1;
  TestEngine engine(setup);
  EXPECT_TRUE(Create(engine, "a").ok());
  EXPECT_TRUE(Estimate(engine, "a").fits_now);
  EXPECT_TRUE(Create(engine, "a").ok());
  EXPECT_FALSE(Estimate(engine, "a").fits_now);
  ExpectRefused(Create(engine, "a"), "bytes for sessions");
  EXPECT_EQ(engine->stats().session_bytes, 2 * memory.held().host + memory.decode_scratch.host);
  EXPECT_TRUE(Create(engine, "b").ok());
  engine.RunUntilIdle();  // all are made, nobody read them
  EXPECT_TRUE(Create(engine, "a").ok()) << "a take that ended holds its outbox only";
}

// A name is gone at once, memory when everybody has let it go.
TEST(PeerShareTest, IsNotGivenBackByDeletingASessionThatIsStillHeld) {
  TestEngine any;
  const SessionMemory memory = MemoryOf(any, Spec());
  EngineSetup setup = WithShare(50);
  setup.engine.session_bytes_max = 2 * (memory.held().host + memory.decode_scratch.host) + 1;
  TestEngine engine(setup);
  EXPECT_TRUE(Create(engine, "a", Spec(), "held").ok());
  std::shared_ptr<Session> stream =
      *engine->FindSession("held");  // it does not take what it is sent
  ASSERT_TRUE(engine->DeleteSession("held").ok());
  ExpectRefused(Create(engine, "a"), "bytes for sessions");
  engine.RunUntilIdle();
  ExpectRefused(Create(engine, "a"), "bytes for sessions");
  stream.reset();
  EXPECT_TRUE(Create(engine, "a").ok());
}

TEST(PeerShareTest, WhatNeverFitsAShareIsTooLarge) {
  TestEngine any;
  EngineSetup setup = WithShare(50);
  setup.engine.kv_bytes_max = any.Estimate(Spec())->kv_bytes * 3 / 2;
  TestEngine engine(setup);
  const absl::Status status = Create(engine, "a");
  EXPECT_EQ(ReasonFor(status), Reason::kSessionTooLarge) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("one peer may have"));
  EXPECT_TRUE(Create(engine, "").ok());
}

TEST(PeerShareTest, TheWholeIsNoShare) {
  EngineSetup setup = WithShare(100);
  setup.engine.sessions_max = 2;
  TestEngine engine(setup);
  EXPECT_TRUE(Create(engine, "a").ok());
  EXPECT_TRUE(Create(engine, "a").ok());
  EXPECT_EQ(ReasonFor(Create(engine, "a")), Reason::kSessionPlacesExhausted);
}

// Whoever is gone is forgotten, or every address that ever asked would be remembered.
TEST(PeerShareTest, SharesOfPeersWithoutSessionsAreForgotten) {
  const MemoryLedger whole = {.host = Ledger::Create(1000), .device = Ledger::Create(3000)};
  PeerShares shares(50, {.places = 10, .kv = 10, .kv_file = 0, .memory = whole});
  const std::weak_ptr<const PeerShare> idle = shares.Of("idle");
  const std::weak_ptr<const PeerShare> busy = shares.Of("busy");
  const Reservation held = *busy.lock()->memory.host->Reserve(10);
  shares.Of("another");
  EXPECT_TRUE(idle.expired());
  EXPECT_FALSE(busy.expired());
  EXPECT_EQ(whole.host->bytes_taken(), 10u);
}

}  // namespace
}  // namespace longtake
