// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/log_queue.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>

#include <vector>

#include "base/mutex.h"

namespace longtake {
namespace {

constexpr int64_t kLongNanos = 60'000'000'000;

// As a pipe whose reader stopped: takes a line and is stuck with it until it is let go.
class StuckSink final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& line) override {
    MutexLock lock(mutex_);
    lines_.emplace_back(line.payload.data(), line.payload.size());
    changed_.NotifyAll();
    while (!free_) changed_.Wait(mutex_);
  }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  void WaitForLines(size_t count) {
    MutexLock lock(mutex_);
    while (lines_.size() < count) changed_.Wait(mutex_);
  }
  void LetGo() {
    MutexLock lock(mutex_);
    free_ = true;
    changed_.NotifyAll();
  }
  std::vector<std::string> lines() {
    MutexLock lock(mutex_);
    return lines_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool free_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

std::string GapText(uint64_t lines) { return std::to_string(lines) + " lost"; }

TEST(LogQueue, AFullQueueLosesItsOldestLinesAndSaysHowMany) {
  const auto sink = std::make_shared<StuckSink>();
  LogQueue queue(sink, 4, GapText);
  queue.logger().info("in the sink");
  sink->WaitForLines(1);
  for (int i = 0; i < 10; ++i) queue.logger().info("{}", i);
  EXPECT_EQ(queue.dropped_lines(), 6u);
  EXPECT_EQ(sink->lines().size(), 1u);
  sink->LetGo();
  sink->WaitForLines(6);
  EXPECT_EQ(sink->lines(), (std::vector<std::string>{"in the sink", "6 lost", "6", "7", "8", "9"}));
  EXPECT_TRUE(queue.Flush(kLongNanos));
  EXPECT_EQ(queue.dropped_lines(), 6u);
}

TEST(LogQueue, AFlushGivesUpWhereNobodyReads) {
  const auto sink = std::make_shared<StuckSink>();
  LogQueue queue(sink, 4, GapText);
  queue.logger().info("in the sink");
  sink->WaitForLines(1);
  EXPECT_FALSE(queue.Flush(1));
  sink->LetGo();
  EXPECT_TRUE(queue.Flush(kLongNanos));
}

}  // namespace
}  // namespace longtake
