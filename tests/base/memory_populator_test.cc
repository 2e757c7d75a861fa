// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/memory_populator.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/mutex.h"

namespace longtake {
namespace {

constexpr uint64_t kPart = 1 << 20;

// Fresh address space, in which no page is taken.
class Mapping {
 public:
  explicit Mapping(size_t bytes)
      : memory_(static_cast<std::byte*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)),
                bytes) {}
  ~Mapping() { munmap(memory_.data(), memory_.size()); }
  std::span<std::byte> memory() { return memory_; }

 private:
  std::span<std::byte> memory_;
};

size_t Pages(uint64_t bytes) {
  const auto page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page_bytes - 1) / page_bytes;
}

size_t PagesTaken(std::span<const std::byte> memory) {
  std::vector<unsigned char> pages(Pages(memory.size()));
  EXPECT_EQ(mincore(const_cast<std::byte*>(memory.data()), memory.size(), pages.data()), 0);
  return static_cast<size_t>(std::count(pages.begin(), pages.end(), 1));
}

TEST(MemoryPopulator, TakesEveryPage) {
  WorkerPool workers(2);
  SystemClock clock;
  Mapping mapping(3 * kPart + 8192);
  EXPECT_EQ(PagesTaken(mapping.memory()), 0u);
  const MemoryPopulator populator({.workers = &workers, .clock = &clock, .part_bytes = kPart});
  EXPECT_TRUE(populator.Populate(mapping.memory()).ok());
  EXPECT_EQ(PagesTaken(mapping.memory()), Pages(3 * kPart + 8192));
}

// Whoever looks at it, but for the thread that made it, waits until so many have.
class MeetingClock final : public Clock {
 public:
  explicit MeetingClock(size_t thread_count) : thread_count_(thread_count) {}

  int64_t MonotonicNanos() override {
    if (std::this_thread::get_id() != maker_) Meet();
    return clock_.MonotonicNanos();
  }
  int64_t WallNanos() override { return clock_.WallNanos(); }
  size_t met() {
    MutexLock lock(mutex_);
    return threads_.size();
  }

 private:
  void Meet() {
    const int64_t end_nanos = clock_.MonotonicNanos() + 60'000'000'000;
    MutexLock lock(mutex_);
    threads_.insert(std::this_thread::get_id());
    came_.NotifyAll();
    while (threads_.size() < thread_count_ && clock_.MonotonicNanos() < end_nanos) {
      came_.WaitFor(mutex_, std::chrono::seconds(1));
    }
  }

  const size_t thread_count_;
  const std::thread::id maker_ = std::this_thread::get_id();
  SystemClock clock_;
  Mutex mutex_;
  CondVar came_;
  std::set<std::thread::id> threads_ ABSL_GUARDED_BY(mutex_);
};

TEST(MemoryPopulator, WorksOnAllWorkersAtOnce) {
  constexpr size_t kWorkers = 3;
  WorkerPool workers(kWorkers);
  MeetingClock clock(kWorkers);
  Mapping mapping(kWorkers * kPart);
  const MemoryPopulator populator({.workers = &workers, .clock = &clock, .part_bytes = kPart});
  EXPECT_TRUE(populator.Populate(mapping.memory()).ok());
  EXPECT_EQ(clock.met(), kWorkers);
}

TEST(MemoryPopulator, TellsHowFarItIsWhenItTakesLong) {
  WorkerPool workers(1);
  class Hours final : public Clock {
   public:
    int64_t MonotonicNanos() override { return nanos_ += MemoryPopulator::kTellNanos / 2; }
    int64_t WallNanos() override { return nanos_; }

   private:
    int64_t nanos_ = 0;
  };
  Hours clock;  // half of the time to tell goes by with each part
  std::vector<uint64_t> told;
  Mapping mapping(4 * kPart);
  const MemoryPopulator populator({.workers = &workers,
                                   .clock = &clock,
                                   .progress =
                                       [&told](uint64_t done_bytes, uint64_t total_bytes) {
                                         EXPECT_EQ(total_bytes, 4 * kPart);
                                         told.push_back(done_bytes);
                                       },
                                   .part_bytes = kPart});
  EXPECT_TRUE(populator.Populate(mapping.memory()).ok());
  EXPECT_EQ(told, (std::vector<uint64_t>{2 * kPart, 4 * kPart}));
}

TEST(AlignedBuffer, LargeOnesAreTakenZeroedAndAligned) {
  for (const uint64_t alignment : {uint64_t{64}, uint64_t{4096}, uint64_t{8} << 20}) {
    const uint64_t bytes = (4 << 20) + 100;
    AlignedBuffer buffer = AlignedBuffer::Allocate(bytes, alignment).value();
    ASSERT_EQ(buffer.size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % std::max<uint64_t>(alignment, 2 << 20),
              0u);
    EXPECT_EQ(PagesTaken(buffer.span()), Pages(bytes));
    EXPECT_TRUE(std::all_of(buffer.span().begin(), buffer.span().end(),
                            [](std::byte value) { return value == std::byte{0}; }));
    buffer.span().back() = std::byte{1};
  }
}

}  // namespace
}  // namespace longtake
