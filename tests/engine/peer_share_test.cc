// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// One peer has no more than its share of places and memory, and the others do not notice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_reason.h"
#include "tests/engine/engine_fixture.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

absl::Status Create(TestEngine& engine, const std::string& peer, uint64_t seed = 1) {
  const ResolvedSpec spec = *engine->Resolve(SmallSpec("a red circle", seed, 33));
  return engine->CreateSession(spec, "", {.peer = peer}).status();
}

EngineSetup WithShare(double share) {
  EngineSetup setup;
  setup.engine.peer_share = share;
  return setup;
}

void ExpectRefused(const absl::Status& status, const std::string& what) {
  EXPECT_EQ(ReasonFor(status), Reason::kPeerShareExhausted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

TEST(PeerShareTest, OfPlaces) {
  EngineSetup setup = WithShare(0.5);
  setup.engine.sessions_max = 5;
  TestEngine engine(setup);
  EXPECT_TRUE(Create(engine, "a").ok());
  EXPECT_TRUE(Create(engine, "a").ok());
  ExpectRefused(Create(engine, "a"), "a would have 3 of the 2 session places");
  EXPECT_TRUE(Create(engine, "b").ok());
  EXPECT_TRUE(Create(engine, "").ok()) << "the program itself";
  ASSERT_TRUE(engine->DeleteSession(engine->Sessions()[0]->id()).ok());
  EXPECT_TRUE(Create(engine, "a").ok());
}

TEST(PeerShareTest, OneSessionIsAlwaysAShareOfThePlaces) {
  EngineSetup setup = WithShare(0.01);
  setup.engine.sessions_max = 2;
  setup.engine.kv_bytes_max = uint64_t{1} << 30;
  setup.engine.session_bytes_max = uint64_t{40} << 30;
  TestEngine engine(setup);
  EXPECT_TRUE(Create(engine, "a").ok());
  ExpectRefused(Create(engine, "a"), "session places");
}

TEST(PeerShareTest, OfKeysAndValues) {
  TestEngine any;
  const uint64_t kv = any.Estimate(SmallSpec("a red circle", 1, 33))->kv_bytes;
  EngineSetup setup = WithShare(0.5);
  setup.engine.kv_bytes_max = 4 * kv;
  TestEngine engine(setup);
  EXPECT_TRUE(Create(engine, "a").ok());
  EXPECT_TRUE(Create(engine, "a").ok());
  ExpectRefused(Create(engine, "a"), "bytes for keys and values");
  EXPECT_EQ(engine->stats().kv_bytes, 2 * kv) << "what is refused keeps nothing";
  EXPECT_TRUE(Create(engine, "b").ok());
}

TEST(PeerShareTest, OfOtherMemoryAndATakeThatEndedGivesItsBack) {
  TestEngine any;
  const auto estimate = *any.Estimate(SmallSpec("a red circle", 1, 33));
  EngineSetup setup = WithShare(0.5);
  setup.engine.session_bytes_max = 2 * estimate.bytes().other + 4096;
  TestEngine engine(setup);
  EXPECT_TRUE(Create(engine, "a").ok());
  ExpectRefused(Create(engine, "a"), "bytes for sessions");
  EXPECT_TRUE(Create(engine, "b").ok());
  EXPECT_FALSE(Create(engine, "b").ok());
  engine.RunUntilIdle();  // both are made, nobody read them
  const uint64_t left = engine->Sessions()[0]->bytes_promised();
  ASSERT_LT(left, estimate.bytes().other / 2);
  const auto asked =
      *engine->Estimate(*engine->Resolve(SmallSpec("a red circle", 2, 33)), {.peer = "c"});
  EXPECT_TRUE(asked.fits_now) << asked.refusal;
  const auto again =
      *engine->Estimate(*engine->Resolve(SmallSpec("a red circle", 2, 33)), {.peer = "a"});
  EXPECT_FALSE(again.fits_now);
  EXPECT_THAT(again.refusal, HasSubstr(std::to_string(left + estimate.bytes().other)));
}

TEST(PeerShareTest, TheWholeIsNoShare) {
  EngineSetup setup = WithShare(1.0);
  setup.engine.sessions_max = 2;
  TestEngine engine(setup);
  EXPECT_TRUE(Create(engine, "a").ok());
  EXPECT_TRUE(Create(engine, "a").ok());
  EXPECT_EQ(ReasonFor(Create(engine, "a")), Reason::kSessionPlacesExhausted);
}

}  // namespace
}  // namespace longtake
