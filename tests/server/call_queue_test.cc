// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/call_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace longtake {
namespace {

// Holds the pool's one worker until it is told to go on.
class Gate {
 public:
  void Wait() {
    MutexLock lock(mutex_);
    while (!open_) opened_.Wait(mutex_);
  }
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    opened_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar opened_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST(CallQueueTest, TakesTurnsWithWhatTheWorkersAreAskedFor) {
  std::string order;
  Gate gate;
  WorkerPool workers(1);
  CallQueue calls(workers, {.calls_max = 10, .bytes_max = 10});
  workers.Schedule([&] { gate.Wait(); });
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
  workers.Schedule([&] { gate.Wait(); });
  EXPECT_TRUE(calls.Run(8, [&] { ++done; }));
  EXPECT_FALSE(calls.Run(3, [&] { ++done; })) << "too many bytes";
  EXPECT_TRUE(calls.Run(2, [&] { ++done; }));
  EXPECT_TRUE(calls.Run(0, [&] { ++done; }));
  EXPECT_FALSE(calls.Run(0, [&] { ++done; })) << "too many calls";
  gate.Open();
  workers.Finish();
  EXPECT_EQ(done, 3);
}

}  // namespace
}  // namespace longtake
