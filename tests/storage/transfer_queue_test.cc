// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The transfer queue against a disk whose every answer is in the script: what is asked for in which
// order, what counts as having come, and whose memory the kernel may still write to.
#include "storage/io/transfer_queue.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <deque>
#include <random>
#include <set>

#include "tests/storage/memory_files.h"

namespace longtake {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = BlockRequest::Kind;
using Transfer = TransferQueue::Transfer;

constexpr uint64_t kBlock = 4096;
constexpr uint64_t kRequest = 2 * kBlock;
constexpr int64_t kTimeout = int64_t{5} * 1'000'000'000;
constexpr int64_t kWhole = INT64_MAX;

// Keeps attempts until the test answers them. A wait without an answer calls on_wait, which may
// give one, and else takes the time it was allowed.
class ScriptedDisk final : public BlockIo {
 public:
  ScriptedDisk(size_t capacity, ManualClock& clock) : BlockIo("disk", capacity), clock_(clock) {}
  ~ScriptedDisk() override {
    while (!waiting_.empty()) Answer(0);
    Drain();
  }

  // "r0+2": a read at block 0, two blocks long.
  std::vector<std::string> waiting() const {
    std::vector<std::string> out;
    for (const Attempt& attempt : waiting_) {
      out.push_back((attempt.rest.kind == Kind::kRead ? "r" : "w") +
                    std::to_string(attempt.rest.offset / kBlock) + "+" +
                    std::to_string(attempt.rest.memory.size() / kBlock));
    }
    return out;
  }
  // So many bytes, all of them, or a negated errno; of the one at that index among those that wait.
  void Answer(size_t index, int64_t result = kWhole) {
    const Attempt attempt = waiting_.at(index);
    waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(index));
    const auto bytes = static_cast<int64_t>(attempt.rest.memory.size());
    answers_.push_back({attempt.number, std::min(result, bytes)});
    if (result > 0 && attempt.rest.kind == Kind::kRead) {
      const auto answered = static_cast<size_t>(std::min(result, bytes));
      std::fill_n(attempt.rest.memory.begin(), answered, read_byte);
    }
  }

  std::byte read_byte{1};
  std::function<void()> on_wait;
  std::vector<int64_t> waits;

 private:
  struct Attempt {
    size_t number = 0;
    BlockRequest rest;
  };

  void StartRaw(size_t number, const BlockRequest& rest) override {
    waiting_.push_back({number, rest});
  }
  std::optional<RawCompletion> NextRaw(int64_t wait_nanos) override {
    if (answers_.empty() && wait_nanos > 0) {
      waits.push_back(wait_nanos);
      if (on_wait) on_wait();
      if (answers_.empty()) clock_.Advance(wait_nanos);
    }
    if (answers_.empty()) return std::nullopt;
    const RawCompletion answer = answers_.front();
    answers_.pop_front();
    return answer;
  }

  ManualClock& clock_;
  std::vector<Attempt> waiting_;
  std::deque<RawCompletion> answers_;
};

class TransferQueueTest : public ::testing::Test {
 protected:
  void Open(size_t capacity, Trace* trace = nullptr) {
    auto disk = std::make_unique<ScriptedDisk>(capacity, clock_);
    disk_ = disk.get();
    queue_.emplace(std::move(disk), TransferQueue::Options{.request_bytes = kRequest,
                                                           .timeout_nanos = kTimeout,
                                                           .add_next = [this] { return AddNext(); },
                                                           .clock = &clock_,
                                                           .trace = trace,
                                                           .trace_name = "test"});
  }
  // A transfer of so many blocks at a block; its memory is that of the file's place.
  Transfer& Add(Kind kind, uint64_t block, uint64_t blocks) {
    return queue_->Add({.kind = kind,
                        .offset = block * kBlock,
                        .memory = std::span(memory_).subspan(block * kBlock, blocks * kBlock),
                        .track = "row",
                        .trace_name = "block " + std::to_string(block),
                        .done = [this, block](const absl::Status& status) {
                          done_.push_back(std::to_string(block) + (status.ok() ? "" : " failed"));
                        }});
  }
  Transfer& Read(uint64_t block, uint64_t blocks) { return Add(Kind::kRead, block, blocks); }
  Transfer& Write(uint64_t block, uint64_t blocks) { return Add(Kind::kWrite, block, blocks); }
  void Answer(size_t index, int64_t result = kWhole) {
    disk_->Answer(index, result);
    queue_->Pump();
  }
  bool AddNext() {
    if (ahead_.empty()) return false;
    const auto [block, blocks] = ahead_.front();
    ahead_.pop_front();
    Read(block, blocks);
    return true;
  }

  ManualClock clock_;
  std::vector<std::byte> memory_ = std::vector<std::byte>(128 * kBlock);
  std::deque<std::pair<uint64_t, uint64_t>> ahead_;  // for add_next: blocks and how many
  std::vector<std::string> done_;
  std::optional<TransferQueue> queue_;
  ScriptedDisk* disk_ = nullptr;
};

TEST_F(TransferQueueTest, IsCutIntoRequestsInTheOrderOfUse) {
  Open(8);
  Read(10, 5);
  Read(0, 2);
  Write(40, 3);
  EXPECT_THAT(disk_->waiting(), IsEmpty()) << "before the first Pump";
  queue_->Pump();
  EXPECT_THAT(disk_->waiting(), ElementsAre("r10+2", "r12+2", "r14+1", "r0+2", "w40+2", "w42+1"));
}

TEST_F(TransferQueueTest, AFullDiskIsGivenTheRestInOrder) {
  Open(2);
  Read(10, 5);
  Read(0, 4);
  queue_->Pump();
  EXPECT_THAT(disk_->waiting(), ElementsAre("r10+2", "r12+2"));
  Answer(1);
  EXPECT_THAT(disk_->waiting(), ElementsAre("r10+2", "r14+1"));
  Answer(0);
  EXPECT_THAT(disk_->waiting(), ElementsAre("r14+1", "r0+2"));
  Answer(0);
  EXPECT_THAT(disk_->waiting(), ElementsAre("r0+2", "r2+2"));
}

TEST_F(TransferQueueTest, TheNextIsAddedWhenTheDiskWouldTakeMore) {
  Open(3);
  ahead_ = {{0, 4}, {10, 4}, {20, 4}};
  queue_->Pump();
  EXPECT_THAT(disk_->waiting(), ElementsAre("r0+2", "r2+2", "r10+2"));
  EXPECT_EQ(ahead_.size(), 1u) << "what would only wait is not begun";
  Write(60, 2);
  Answer(0);
  Answer(0);
  EXPECT_THAT(disk_->waiting(), ElementsAre("r10+2", "r12+2", "w60+2")) << "before what is ahead";
  Answer(0);
  EXPECT_THAT(disk_->waiting(), ElementsAre("r12+2", "w60+2", "r20+2"));
}

TEST_F(TransferQueueTest, BytesCountFromTheFrontWithoutAGap) {
  Open(8);
  const Transfer& read = Read(0, 7);
  queue_->Pump();
  Answer(2);
  EXPECT_EQ(read.front_bytes(), 0u);
  Answer(0);
  EXPECT_EQ(read.front_bytes(), kRequest);
  Answer(1);  // the last, which is shorter
  EXPECT_EQ(read.front_bytes(), kRequest);
  EXPECT_FALSE(read.settled());
  Answer(0);
  EXPECT_EQ(read.front_bytes(), 7 * kBlock);
  EXPECT_TRUE(read.settled());
  EXPECT_THAT(done_, IsEmpty()) << "a read is there until it is dropped";
}

TEST_F(TransferQueueTest, ShortAnswersAndRetriesAreNoAnswers) {
  Open(8);
  const Transfer& read = Read(0, 2);
  Write(8, 2);
  queue_->Pump();
  Answer(0, kBlock + 100);
  EXPECT_THAT(disk_->waiting(), ElementsAre("w8+2", "r1+1"));
  Answer(0, 100);
  Answer(0, -EINTR);
  EXPECT_THAT(disk_->waiting(), ElementsAre("w8+2", "r1+1"));
  EXPECT_EQ(read.front_bytes(), 0u);
  EXPECT_THAT(done_, IsEmpty());
  Answer(0);
  Answer(0);
  EXPECT_TRUE(read.settled());
  EXPECT_THAT(done_, ElementsAre("8"));
  EXPECT_EQ(queue_->io().stats().short_transfers, 2u);
  EXPECT_EQ(queue_->io().stats().retries, 1u);
  EXPECT_EQ(queue_->stats().io_errors, 0u);
}

TEST_F(TransferQueueTest, AFailureAmidEndsOneTransferAndNoOther) {
  Open(2);
  Transfer& bad = Read(0, 8);
  const Transfer& good = Read(20, 2);
  queue_->Pump();
  Answer(1, -EIO);
  EXPECT_TRUE(bad.settled());
  EXPECT_THAT(std::string(bad.status().message()), HasSubstr("disk at byte 8192"));
  EXPECT_THAT(disk_->waiting(), ElementsAre("r0+2", "r20+2")) << "its rest is not asked for";
  Answer(0);
  EXPECT_EQ(bad.front_bytes(), kRequest);
  Answer(0);
  EXPECT_TRUE(good.settled() && good.status().ok());
  queue_->Drop(bad);
  EXPECT_THAT(done_, ElementsAre("0 failed"));
  EXPECT_EQ(queue_->stats().io_errors, 1u);
}

TEST_F(TransferQueueTest, ADroppedReadKeepsItsMemoryUntilTheLastAnswer) {
  Open(2);
  Transfer& read = Read(0, 8);
  Read(20, 2);
  queue_->Pump();
  queue_->Drop(read);
  Answer(1);
  EXPECT_THAT(disk_->waiting(), ElementsAre("r0+2", "r20+2")) << "its rest is not asked for";
  EXPECT_THAT(done_, IsEmpty());
  Answer(0);
  EXPECT_THAT(done_, ElementsAre("0"));
}

TEST_F(TransferQueueTest, WhatWasNotBegunIsGoneAtOnce) {
  Open(1);
  Read(0, 2);
  Transfer& read = Read(20, 2);
  queue_->Pump();
  queue_->Drop(read);
  EXPECT_THAT(done_, ElementsAre("20"));
  Read(30, 2);
  Answer(0);
  EXPECT_THAT(disk_->waiting(), ElementsAre("r30+2"));
}

TEST_F(TransferQueueTest, WritesGoWhenTheyAreAnsweredInFull) {
  Open(2);
  Write(0, 3);
  Write(20, 6);
  Write(40, 1);
  queue_->Pump();
  Answer(1);
  EXPECT_THAT(done_, IsEmpty());
  Answer(0);
  EXPECT_THAT(done_, ElementsAre("0"));
  EXPECT_THAT(disk_->waiting(), ElementsAre("w20+2", "w22+2"));
  disk_->Answer(1, -ENOSPC);
  queue_->Pump();
  EXPECT_THAT(disk_->waiting(), ElementsAre("w20+2", "w40+1"));
  EXPECT_THAT(done_, ElementsAre("0")) << "the failed one still has a request under way";
  Answer(0);
  EXPECT_THAT(done_, ElementsAre("0", "20 failed"));
}

TEST_F(TransferQueueTest, AWriteIsNotOverBetweenTwoOfItsRequests) {
  Open(1);
  Write(0, 4);
  queue_->Pump();
  Answer(0);
  EXPECT_THAT(done_, IsEmpty());
  EXPECT_THAT(disk_->waiting(), ElementsAre("w2+2"));
  Answer(0);
  EXPECT_THAT(done_, ElementsAre("0"));
}

TEST_F(TransferQueueTest, DrainingCarriesWritesThroughAndReadsNoMore) {
  Open(2);
  Transfer& read = Read(0, 8);
  Write(20, 4);
  queue_->Pump();
  queue_->Drop(read);
  disk_->on_wait = [this] { disk_->Answer(0); };
  EXPECT_TRUE(queue_->Await([this] { return queue_->io().in_flight() == 0; }).ok());
  EXPECT_THAT(done_, ElementsAre("0", "20"));
  EXPECT_EQ(queue_->io().stats().reads, 2u);
}

TEST_F(TransferQueueTest, ADiskThatDoesNotAnswerIsAnErrorAndEveryNextWaitIsShort) {
  Open(4);
  const Transfer& read = Read(0, 6);
  const auto settled = [&read] { return read.settled(); };
  const absl::Status status = queue_->Await(settled);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "disk: the disk does not answer, 3 requests are under way; waited 5 s");
  EXPECT_FALSE(queue_->Await(settled).ok());
  EXPECT_THAT(disk_->waits, ElementsAre(kTimeout, 100'000'000));
  EXPECT_EQ(queue_->stats().timeouts, 2u);
  EXPECT_EQ(queue_->stats().wait_nanos, kTimeout + 100'000'000);
  Answer(0);
  EXPECT_FALSE(queue_->Await(settled).ok());
  EXPECT_EQ(disk_->waits.back(), kTimeout) << "it had answered again";
  EXPECT_EQ(read.status(), absl::OkStatus()) << "the wait failed, the read goes on";
}

TEST_F(TransferQueueTest, ASecondReadingReplacesItsPart) {
  Open(4);
  Transfer& read = Read(0, 6);
  queue_->Pump();
  for (int i = 0; i < 3; ++i) Answer(0);
  disk_->read_byte = std::byte{2};
  disk_->on_wait = [this] {
    EXPECT_THAT(disk_->waiting(), ElementsAre("r3+1"));
    disk_->Answer(0);
  };
  EXPECT_TRUE(queue_->ReadAgain(read, 3 * kBlock, kBlock).ok());
  EXPECT_EQ(memory_[3 * kBlock - 1], std::byte{1});
  EXPECT_EQ(memory_[3 * kBlock], std::byte{2});
  EXPECT_EQ(memory_[4 * kBlock], std::byte{1});
  disk_->on_wait = [this] { disk_->Answer(0, -EIO); };
  EXPECT_EQ(queue_->ReadAgain(read, 0, kBlock).code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(read.status().ok());
  queue_->Drop(read);
  EXPECT_THAT(done_, ElementsAre("0"));
}

TEST_F(TransferQueueTest, ALateSecondReadingStillOwnsTheMemory) {
  Open(4);
  Transfer& read = Read(0, 2);
  queue_->Pump();
  Answer(0);
  EXPECT_EQ(queue_->ReadAgain(read, 0, kBlock).code(), absl::StatusCode::kUnavailable);
  queue_->Drop(read);
  queue_->Pump();
  EXPECT_THAT(done_, IsEmpty());
  Answer(0);
  EXPECT_THAT(done_, ElementsAre("0"));
}

TEST_F(TransferQueueTest, TheTraceHasWaitsAndWhatCameWhole) {
  MemoryFileSystem files;
  std::unique_ptr<Trace> trace = Trace::Create(files, "t", [](const absl::Status&) {}).value();
  Open(4, trace.get());
  const Transfer& read = Read(0, 4);
  disk_->on_wait = [this] {
    clock_.Advance(3000);
    disk_->Answer(0);
  };
  EXPECT_TRUE(queue_->Await([&read] { return read.settled(); }).ok());
  queue_.reset();
  trace.reset();
  const MemoryFileSystem::Bytes& bytes = files.Contents("t");
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_THAT(text, HasSubstr("\"test wait\""));
  EXPECT_THAT(text, HasSubstr("\"row\""));
  EXPECT_EQ(text.find("block 0"), text.rfind("block 0")) << "once, when it was whole";
  EXPECT_THAT(text, ContainsRegex("\"block 0\".*\"ts\":0.*\"dur\":6.*16384 bytes"));
}

// Reads and writes of every size, answers in any order: each is done exactly once, with its error
// if it had one, and never while an attempt at its memory waits.
TEST_F(TransferQueueTest, AnyOrderOfAnswersComesToTheSameEnd) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    Open(1 + random() % 6);
    done_.clear();
    std::vector<Transfer*> reads;
    for (uint64_t block = 0; block < 120; block += 8) {
      const uint64_t blocks = 1 + random() % 8;
      if (random() % 3 == 0) {
        Write(block, blocks);
      } else {
        reads.push_back(&Read(block, blocks));
      }
    }
    disk_->on_wait = [&] {
      const size_t one = random() % disk_->waiting().size();
      const uint32_t kind = random() % 16;
      disk_->Answer(one, kind == 0 ? -EIO : kind < 3 ? -EAGAIN : kind < 6 ? 5000 : kWhole);
    };
    for (Transfer* read : reads) {
      if (random() % 4 != 0) {
        ASSERT_TRUE(queue_->Await([read] { return read->settled(); }).ok());
      }
      queue_->Drop(*read);
    }
    ASSERT_TRUE(queue_->Await([this] { return queue_->io().in_flight() == 0; }).ok());
    ASSERT_EQ(done_.size(), 15u) << "seed " << seed;
    ASSERT_EQ(std::set<std::string>(done_.begin(), done_.end()).size(), 15u);
  }
}

}  // namespace
}  // namespace longtake
