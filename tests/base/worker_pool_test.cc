// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace longtake {
namespace {

TEST(WorkerPoolTest, CallsEachIndexOnceWithAWorkerInRange) {
  WorkerPool pool(3);
  std::vector<std::atomic<int>> calls(1000);
  std::atomic<bool> in_range = true;
  pool.ParallelFor(1000, [&](int64_t index, int worker) {
    ++calls[static_cast<size_t>(index)];
    if (worker < 0 || worker >= 3) in_range = false;
  });
  EXPECT_TRUE(in_range);
  for (const auto& count : calls) EXPECT_EQ(count, 1);
}

TEST(WorkerPoolTest, NothingToDoReturnsAtOnce) {
  WorkerPool pool(1);
  pool.ParallelFor(0, [](int64_t, int) { FAIL(); });
}

TEST(WorkerPoolTest, CallersShareTheWorkersAndTasksRunBetween) {
  WorkerPool pool(2);
  std::atomic<int> tiles = 0;
  std::atomic<int> tasks = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        pool.ParallelFor(7, [&](int64_t, int) { ++tiles; });
        pool.Schedule([&] { ++tasks; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(tiles, 3 * 50 * 7);
  while (tasks < 150) std::this_thread::yield();
}

TEST(WorkerPoolTest, FinishesScheduledTasksBeforeItEnds) {
  std::atomic<int> tasks = 0;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) pool.Schedule([&] { ++tasks; });
  }
  EXPECT_EQ(tasks, 100);
}

TEST(WorkerPoolTest, WorkersStayOnTheirCores) {
  const CoreSet allowed = CoreSet::Allowed();
  int core = CoreSet::kCoresMax - 1;
  while (!allowed.Has(core)) --core;
  const CoreSet last = *CoreSet::Parse(std::to_string(core));
  std::atomic<int> elsewhere = 0;
  const auto expect = [&](WorkerPool& pool, const CoreSet& cores) {
    EXPECT_EQ(pool.thread_count(), cores.count());
    elsewhere = 0;
    pool.ParallelFor(100, [&](int64_t, int) {
      if (CoreSet::Allowed() != cores) ++elsewhere;
    });
    EXPECT_EQ(elsewhere, 0) << cores.ToText();
  };
  WorkerPool anywhere(allowed.count());
  WorkerPool pinned(last);
  WorkerPool all(allowed);
  expect(pinned, last);
  expect(all, allowed);
  expect(anywhere, allowed);
  // Cores that there are not: the work is done all the same.
  WorkerPool nowhere(*CoreSet::Parse("1022+1023"));
  std::atomic<int> tiles = 0;
  nowhere.ParallelFor(10, [&](int64_t, int) { ++tiles; });
  EXPECT_EQ(tiles, 10);
}

}  // namespace
}  // namespace longtake
