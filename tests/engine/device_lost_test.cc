// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A device that fails ends the sessions that need it, with a reason, and whoever watches the sweeps
// is told.
#include <gtest/gtest.h>

#include "base/error_reason.h"
#include "tests/engine/engine_fixture.h"
#include "tests/engine/late_model.h"

namespace longtake {
namespace {

class DeviceLostTest : public testing::TestWithParam<Lane> {
 protected:
  static EngineSetup Late() {
    EngineSetup setup;
    setup.open = &LateModel::Open;
    return setup;
  }
  LateModel& model() { return static_cast<LateModel&>(engine_.model()); }
  void LoseIt() {
    model()
        .late_device(GetParam())
        .Fail(Error(Reason::kDeviceLost, "cudaMemcpyAsync: unspecified launch failure"));
  }

  TestEngine engine_{Late()};
};

TEST_P(DeviceLostTest, ItsSessionsAreOverAndHealthIsTold) {
  std::vector<Reason> told;
  model().OnDeviceLoss([&](const absl::Status& why) { told.push_back(ReasonFor(why)); });
  const auto session = *engine_.CreateSession(SmallSpec("a red circle", 3, 0), "");
  Received received;
  const uint64_t reader = *session->Attach(-1, nullptr);
  while (received.chunks.empty()) {
    ASSERT_TRUE(engine_->Step());
    PollAll(*session, reader, &received);
  }
  LoseIt();
  EXPECT_TRUE(told.empty()) << "nobody has found it";
  while (!received.end.has_value() && engine_->Step()) PollAll(*session, reader, &received);
  PollAll(*session, reader, &received);
  ASSERT_TRUE(received.end.has_value());
  EXPECT_EQ(received.end->code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ReasonFor(*received.end), Reason::kDeviceLost) << *received.end;
  EXPECT_EQ(told, std::vector{Reason::kDeviceLost});
  // Also who asks later.
  model().OnDeviceLoss([&](const absl::Status& why) { told.push_back(ReasonFor(why)); });
  EXPECT_EQ(told, (std::vector{Reason::kDeviceLost, Reason::kDeviceLost}));
}

INSTANTIATE_TEST_SUITE_P(Lanes, DeviceLostTest, testing::Values(Lane::kSweep, Lane::kDecode));

}  // namespace
}  // namespace longtake
