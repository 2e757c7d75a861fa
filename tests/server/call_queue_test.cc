// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/call_queue.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/base/gate.h"

namespace longtake {
namespace {

TEST(CallQueueTest, TakesTurnsWithWhatTheWorkersAreAskedFor) {
  std::string order;
  Gate gate;
  WorkerPool workers(1);
  CallQueue calls(workers, {.calls_max = 10, .bytes_max = 10});
  workers.Schedule([&] { gate.Pass(); });
  for (const char name : {'a', 'b', 'c'}) {
    EXPECT_TRUE(calls.Run(1, [&order, name] { order += name; }));
  }
  workers.Schedule([&] { order += '1'; });
  workers.Schedule([&] { order += '2'; });
  gate.Open();
  workers.Finish();
  EXPECT_EQ(order, "a12bc") << "the others were asked for before the second call's turn";
}

TEST(CallQueueTest, SoMuchWaitsAtMost) {
  int done = 0;
  Gate gate;
  WorkerPool workers(1);
  CallQueue calls(workers, {.calls_max = 3, .bytes_max = 10});
  workers.Schedule([&] { gate.Pass(); });
  EXPECT_TRUE(calls.Run(8, [&] { ++done; }));
  EXPECT_FALSE(calls.Run(3, [&] { ++done; })) << "too many bytes";
  EXPECT_TRUE(calls.Run(2, [&] { ++done; }));
  EXPECT_TRUE(calls.Run(0, [&] { ++done; }));
  EXPECT_FALSE(calls.Run(0, [&] { ++done; })) << "too many calls";
  gate.Open();
  workers.Finish();
  EXPECT_EQ(done, 3);
}

// What waits for a disk keeps nobody from another thread, as far as there are some.
TEST(CallQueueTest, SoManyAreDoneAtOnce) {
  Gate gate;
  Gate others;
  WorkerPool workers(3);
  CallQueue calls(workers, {.calls_max = 10, .bytes_max = 10, .at_once = 2});
  EXPECT_TRUE(calls.Run(0, [&] { gate.Pass(); }));
  gate.AwaitArrivals(1);
  int done = 0;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(calls.Run(0, [&] { ++done; }));
  EXPECT_TRUE(calls.Run(0, [&] { others.Pass(); }));
  others.AwaitArrivals(1);
  EXPECT_EQ(done, 3) << "one after the other, beside the first";
  bool third = false;
  EXPECT_TRUE(calls.Run(0, [&] { third = true; }));
  EXPECT_FALSE(third) << "two are under way";
  gate.Open();
  others.Open();
  workers.Finish();
  EXPECT_TRUE(third);
}

}  // namespace
}  // namespace longtake
