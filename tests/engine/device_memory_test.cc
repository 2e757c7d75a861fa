// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A device with memory of its own has a budget of its own: a session that exceeds either is refused
// by that one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_reason.h"
#include "engine/serve/resolve.h"
#include "engine/serve/session_memory.h"
#include "tests/engine/engine_fixture.h"
#include "tests/engine/late_model.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

SessionSpec Spec() { return SmallSpec("a red circle", 1, 21); }

EngineSetup Late() {
  EngineSetup setup;
  setup.open = &LateModel::Open;
  return setup;
}

SessionMemory OneSession() {
  const EngineSetup setup = Late();
  TestEngine engine(setup);
  const ResolvedSpec spec = *engine->Resolve(Spec());
  return *MeasureSession(spec, RolloutFor(spec, engine.model()), engine.model(),
                         setup.engine.session.outbox_bytes_max);
}

// Two sessions fit, with a byte to spare where so many bytes are missing for the third.
void ExpectTwoThenRefused(const MemoryUse& bytes_max, const std::string& why) {
  EngineSetup setup = Late();
  setup.engine.session_bytes_max = bytes_max.host;
  setup.engine.session_device_bytes_max = bytes_max.device;
  TestEngine engine(setup);
  EXPECT_TRUE(engine.CreateSession(Spec(), "a").ok());
  EXPECT_TRUE(engine.Estimate(Spec())->fits_now);
  EXPECT_TRUE(engine.CreateSession(Spec(), "b").ok());
  const MemoryUse taken = {.host = engine->stats().session_bytes,
                           .device = engine->stats().session_device_bytes};
  const absl::Status refused = engine.CreateSession(Spec(), "c").status();
  EXPECT_EQ(ReasonFor(refused), Reason::kSessionMemoryExhausted) << refused;
  EXPECT_THAT(std::string(refused.message()), StartsWith(why));
  EXPECT_EQ(engine.Estimate(Spec())->refusal, refused.message());
  EXPECT_EQ(engine->stats().session_bytes, taken.host) << "what was taken of the other went back";
  EXPECT_EQ(engine->stats().session_device_bytes, taken.device);
  for (const char* id : {"a", "b"}) EXPECT_TRUE(engine->DeleteSession(id).ok());
  engine.RunUntilIdle();
  EXPECT_EQ(engine->stats().session_bytes, 0u);
  EXPECT_EQ(engine->stats().session_device_bytes, 0u);
}

TEST(DeviceMemoryTest, ASessionIsRefusedByTheMemoryThatIsShort) {
  const SessionMemory one = OneSession();
  const MemoryUse two = one.held() + one.total();
  EXPECT_GT(one.held().host, 0u);
  EXPECT_GT(one.held().device, 0u);
  ExpectTwoThenRefused({.host = 9 * two.host, .device = two.device + 1},
                       "device memory of sessions beside K/V: ");
  ExpectTwoThenRefused({.host = two.host + 1, .device = 9 * two.device},
                       "memory of sessions beside K/V: ");
}

TEST(DeviceMemoryTest, ASessionBeyondAllOfItIsTooLarge) {
  const MemoryUse one = OneSession().total();
  for (const bool device : {true, false}) {
    EngineSetup setup = Late();
    setup.engine.session_bytes_max = one.host - (device ? 0 : 1);
    setup.engine.session_device_bytes_max = one.device - (device ? 1 : 0);
    TestEngine engine(setup);
    const absl::Status refused = engine.CreateSession(Spec(), "").status();
    EXPECT_EQ(ReasonFor(refused), Reason::kSessionTooLarge) << refused;
    const auto of_device = HasSubstr("bytes of device memory beside K/V, this server has");
    if (device) {
      EXPECT_THAT(std::string(refused.message()), of_device);
    } else {
      EXPECT_THAT(std::string(refused.message()), Not(of_device));
    }
  }
}

TEST(DeviceMemoryTest, AnEstimateNamesBoth) {
  EngineSetup setup = Late();
  setup.engine.session_device_bytes_max = uint64_t{1} << 30;
  TestEngine engine(setup);
  const SessionEstimate estimate = *engine.Estimate(Spec());
  uint64_t sum = 0;
  uint64_t on_device = 0;
  for (const auto& [name, bytes] : estimate.memory_by_name) {
    sum += bytes;
    if (name.ends_with(", on the device")) on_device += bytes;
  }
  EXPECT_EQ(sum, estimate.memory_bytes);
  EXPECT_EQ(on_device, OneSession().total().device);
  TestEngine on_host;
  const SessionEstimate of_host = *on_host.Estimate(Spec());
  for (const auto& [name, bytes] : of_host.memory_by_name) {
    EXPECT_THAT(name, Not(HasSubstr("device"))) << "all is the host's";
  }
}

}  // namespace
}  // namespace longtake
