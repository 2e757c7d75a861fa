// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What becomes of those who wait for a disk that does not answer, and of what they handed over.
#include "engine/store/commit_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/error_reason.h"
#include "tests/base/gate.h"

namespace longtake {
namespace {

using testing::HasSubstr;
using Kind = CommitQueue::Kind;

constexpr int64_t kAnswerNanos = 1'000'000;

class NoTransactions : public Transactions {
 public:
  absl::Status Begin() override { return absl::OkStatus(); }
  absl::Status Commit() override {
    if (on_commit) on_commit();
    return absl::OkStatus();
  }
  bool UnderWay() const override { return true; }
  absl::Status Probe() override { return absl::OkStatus(); }
  void OnCommitted() override {}
  void OnDisk(const absl::Status&) override {}
  void Abandon() override {}
  bool IsRefusal(const absl::Status&) const override { return false; }
  bool PutAside(const absl::Status&) override { return false; }

  std::function<void()> on_commit;
};

class CommitQueueTest : public testing::Test {
 protected:
  ~CommitQueueTest() override {
    gate_.Open();
    queue_.Stop();
  }
  // From now on the thread is in a commit that does not come to its end.
  void Hang() {
    transactions_.on_commit = [this] { gate_.Pass(); };
    queue_.Start();
    queue_.Push({.run = [] { return absl::OkStatus(); }});
    gate_.AwaitArrivals(1);
  }
  // When all that was handed over has been done.
  void Drain() {
    Gate done;
    done.Open();
    queue_.Push({.run = [] { return absl::OkStatus(); }, .done = [&](bool) { done.Pass(); }});
    done.AwaitArrivals(1);
  }
  static void ExpectNoAnswer(const absl::Status& status) {
    EXPECT_EQ(ReasonFor(status), Reason::kStorageUnavailable) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("does not answer"));
  }

  Gate gate_;
  NoTransactions transactions_;
  ManualClock clock_;
  CommitQueue queue_{transactions_, clock_, kAnswerNanos, [] {}, [] { return INT64_MAX; }};
};

TEST_F(CommitQueueTest, WhatWaitsForADiskThatDoesNotAnswerIsDropped) {
  Hang();
  for (const Kind kind : {Kind::kWrite, Kind::kRead}) {
    const auto done = std::make_shared<std::atomic<bool>>(false);
    std::thread clock([this] { clock_.Advance(kAnswerNanos); });
    ExpectNoAnswer(queue_.RunNow(kind, [done] {
      *done = true;
      return absl::OkStatus();
    }));
    clock.join();
    EXPECT_EQ(done.use_count(), 1) << "nothing of it waits";
  }
  gate_.Open();
  Drain();
  EXPECT_EQ(queue_.stats().waiting_bytes, 0u);
}

// Who waited is gone, with all that was his.
TEST_F(CommitQueueTest, WhatIsUnderWayIsDoneWhenTheDiskAnswers) {
  transactions_.on_commit = [this] { gate_.Pass(); };
  queue_.Start();
  const auto done = std::make_shared<int>(0);
  std::thread clock([this] {
    gate_.AwaitArrivals(1);
    clock_.Advance(kAnswerNanos);
  });
  ExpectNoAnswer(queue_.RunNow(Kind::kWrite, [done] {
    ++*done;
    return absl::OkStatus();
  }));
  clock.join();
  gate_.Open();
  Drain();
  EXPECT_EQ(*done, 1);
}

// One of several that the thread has taken: it is not begun.
TEST_F(CommitQueueTest, WhatWasTakenAndNotBegunIsDropped) {
  const auto done = std::make_shared<std::atomic<bool>>(false);
  Gate idle;  // the thread finds both at once
  CommitQueue queue(
      transactions_, clock_, kAnswerNanos, [&] { idle.Pass(); }, [] { return INT64_MAX; });
  queue.Push({.run = [this] {
    gate_.Pass();
    return absl::OkStatus();
  }});
  queue.Start();
  std::thread waits([&] {
    ExpectNoAnswer(queue.RunNow(Kind::kWrite, [done] {
      *done = true;
      return absl::OkStatus();
    }));
  });
  while (done.use_count() == 1 || queue.stats().waiting_bytes < 1024) std::this_thread::yield();
  idle.Open();
  gate_.AwaitArrivals(1);
  clock_.Advance(kAnswerNanos);
  waits.join();
  gate_.Open();
  queue.Stop();
  EXPECT_FALSE(*done);
}

// The first has found out for all.
TEST_F(CommitQueueTest, WhoComesLaterDoesNotWaitAgain) {
  Hang();
  clock_.Advance(kAnswerNanos);
  ExpectNoAnswer(queue_.RunNow(Kind::kRead, [] { return absl::OkStatus(); }));
  gate_.Open();
  Drain();
  EXPECT_TRUE(queue_.RunNow(Kind::kRead, [] { return absl::OkStatus(); }).ok());
}

}  // namespace
}  // namespace longtake
