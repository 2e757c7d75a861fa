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

TEST(MemoryPopulator, WorksOnAllWorkersAtOnce) {
  constexpr size_t kWorkers = 3;
  WorkerPool workers(kWorkers);
  SystemClock clock;
  Mutex mutex;
  CondVar came;
  std::set<std::thread::id> threads;
  const auto meet = [&] {  // nobody goes on before all are there
    const int64_t end_nanos = clock.MonotonicNanos() + 60'000'000'000;
    MutexLock lock(mutex);
    threads.insert(std::this_thread::get_id());
    came.NotifyAll();
    while (threads.size() < kWorkers && clock.MonotonicNanos() < end_nanos) {
      came.WaitFor(mutex, std::chrono::seconds(1));
    }
    return false;
  };
  Mapping mapping(kWorkers * kPart);
  const MemoryPopulator populator(
      {.workers = &workers, .clock = &clock, .stop_asked = meet, .part_bytes = kPart});
  EXPECT_TRUE(populator.Populate(mapping.memory()).ok());
  EXPECT_EQ(threads.size(), kWorkers);
}

TEST(MemoryPopulator, EndsBetweenPartsWhenAsked) {
  WorkerPool workers(1);
  SystemClock clock;
  int asked = 0;
  Mapping mapping(5 * kPart);
  const MemoryPopulator populator({.workers = &workers,
                                   .clock = &clock,
                                   .stop_asked = [&asked] { return ++asked > 2; },
                                   .part_bytes = kPart});
  EXPECT_TRUE(absl::IsCancelled(populator.Populate(mapping.memory())));
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(PagesTaken(mapping.memory()), Pages(2 * kPart));
}

TEST(MemoryPopulator, TellsHowFarItIsWhenItTakesLong) {
  WorkerPool workers(1);
  ManualClock clock;
  std::vector<uint64_t> told;
  Mapping mapping(4 * kPart);
  const MemoryPopulator populator({.workers = &workers,
                                   .clock = &clock,
                                   .stop_asked =
                                       [&clock] {
                                         clock.Advance(MemoryPopulator::kTellNanos / 2);
                                         return false;
                                       },
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

TEST(AlignedBuffer, IsNotThereWhenItsPopulatorWasStopped) {
  WorkerPool workers(1);
  SystemClock clock;
  const MemoryPopulator populator(
      {.workers = &workers, .clock = &clock, .stop_asked = [] { return true; }});
  EXPECT_TRUE(absl::IsCancelled(AlignedBuffer::Allocate(8 << 20, 64, &populator).status()));
  EXPECT_TRUE(AlignedBuffer::Allocate(4096, 64, &populator).ok());
}

}  // namespace
}  // namespace longtake
