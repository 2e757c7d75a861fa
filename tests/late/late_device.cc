// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/late/late_device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "base/checksum.h"

namespace longtake {
namespace {

// No processor of x86-64 has such addresses.
constexpr uint64_t kDeviceSpace = uint64_t{1} << 62;
constexpr uint64_t kMappedSpace = uint64_t{1} << 61;
constexpr uint64_t kAlignment = 256;
constexpr uint64_t kGap = 4096;  // between two buffers
constexpr std::byte kPoison{0xa5};

[[noreturn]] void Fatal(const char* what) {
  std::fprintf(stderr, "late device: %s\n", what);
  std::abort();
}

uint64_t AddressOf(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

template <typename T>
DevicePtr<T> AsDevice(uint64_t address) {
  return DevicePtr<T>(reinterpret_cast<T*>(address));
}

bool IsMapped(const void* pointer) { return (AddressOf(pointer) & kMappedSpace) != 0; }

const void* Unmapped(const void* pointer) {
  return reinterpret_cast<const void*>(AddressOf(pointer) & ~kMappedSpace);
}

uint64_t Checksum(const void* begin, uint64_t bytes) {
  return Crc32c({static_cast<const std::byte*>(begin), bytes});
}

}  // namespace

// Takes the buffer's addresses out of use; no other buffer will have them.
class LateDevice::Memory final : public DeviceMemory {
 public:
  Memory(LateDevice& device, uint64_t begin) : device_(device), begin_(begin) {}
  ~Memory() override { device_.Free(begin_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

 private:
  LateDevice& device_;
  const uint64_t begin_;
};

absl::StatusOr<DeviceBuffer> LateDevice::Allocate(uint64_t bytes,
                                                  const MemoryPopulator* populator) {
  LT_ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Allocate(bytes, kAlignment, populator));
  MutexLock lock(memory_mutex_);
  const uint64_t begin = next_address_;
  next_address_ += (bytes + kGap + kAlignment - 1) / kAlignment * kAlignment;
  memory_.emplace(begin, std::move(buffer));
  if (on_memory != nullptr) on_memory(static_cast<int64_t>(bytes));
  return DeviceBuffer(AsDevice<std::byte>(begin), bytes, std::make_unique<Memory>(*this, begin));
}

void LateDevice::Free(uint64_t begin) {
  MutexLock lock(memory_mutex_);
  const auto gone = memory_.find(begin);
  if (on_memory != nullptr) on_memory(-static_cast<int64_t>(gone->second.size()));
  memory_.erase(gone);
}

absl::StatusOr<AlignedBuffer> LateDevice::AllocatePinned(uint64_t bytes,
                                                         const MemoryPopulator* populator) {
  return AlignedBuffer::Allocate(bytes, kGap, populator);
}

absl::StatusOr<DeviceBuffer> LateDevice::Keep(std::span<const std::byte> host,
                                              const MemoryPopulator* populator) {
  LT_ASSIGN_OR_RETURN(DeviceBuffer kept, Allocate(host.size(), populator));
  std::copy(host.begin(), host.end(), At(kept.As<std::byte>(), static_cast<int64_t>(host.size())));
  return kept;
}

DevicePtr<std::byte> LateDevice::Mapped(std::byte* pinned) {
  return AsDevice<std::byte>(AddressOf(pinned) | kMappedSpace);
}

DevicePtr<const std::byte> LateDevice::Mapped(const std::byte* pinned) {
  return AsDevice<const std::byte>(AddressOf(pinned) | kMappedSpace);
}

const void* LateDevice::Find(const void* pointer, uint64_t bytes) {
  if (pointer == nullptr) return nullptr;
  if (IsMapped(pointer)) return Unmapped(pointer);
  const uint64_t address = AddressOf(pointer);
  if (address < kDeviceSpace) Fatal("an operation was given memory of the host");
  MutexLock lock(memory_mutex_);
  const auto after = memory_.upper_bound(address);
  if (after == memory_.begin()) Fatal("an operation uses memory that was freed");
  const auto& [begin, buffer] = *std::prev(after);
  if (address >= begin + std::max<uint64_t>(buffer.size(), 1)) {
    Fatal("an operation uses memory that was freed");
  }
  if (bytes > buffer.size() - (address - begin)) Fatal("an operation leaves its buffer");
  return buffer.data() + (address - begin);
}

uint64_t LateDevice::Watch(DevicePtr<const void> pointer, uint64_t bytes) {
  const void* address = pointer.address();
  return IsMapped(address) ? Checksum(Unmapped(address), bytes) : 0;
}

void LateDevice::Unchanged(DevicePtr<const void> pointer, uint64_t bytes, uint64_t watched) {
  if (Watch(pointer, bytes) != watched) Fatal("memory was used again before an operation read it");
}

void LateDevice::Spoil(DevicePtr<const void> pointer, uint64_t bytes) {
  if (!IsMapped(pointer.address())) return;
  std::memset(const_cast<void*>(Unmapped(pointer.address())), static_cast<int>(kPoison), bytes);
}

void LateDevice::CopyIn(Lane lane, DevicePtr<std::byte> to, std::span<const std::byte> from) {
  const uint64_t sum = Checksum(from.data(), from.size());
  {
    MutexLock lock(memory_mutex_);
    reads_.insert({from.data(), from.size()});
  }
  Put(lane, [this, to, from, sum] {
    {
      MutexLock lock(memory_mutex_);
      reads_.erase(reads_.find({from.data(), from.size()}));
    }
    if (Checksum(from.data(), from.size()) != sum) {
      Fatal("memory of the host was used again before it was copied");
    }
    std::copy(from.begin(), from.end(), At(to, static_cast<int64_t>(from.size())));
  });
}

bool LateDevice::IsRead(std::span<const std::byte> host) const {
  MutexLock lock(memory_mutex_);
  return std::any_of(reads_.begin(), reads_.end(), [&](const auto& read) {
    return read.first < host.data() + host.size() && host.data() < read.first + read.second;
  });
}

void LateDevice::CopyOut(Lane lane, std::span<std::byte> to, DevicePtr<const std::byte> from) {
  // In a lane a copy from there comes first.
  if (!IsRead(to)) std::fill(to.begin(), to.end(), kPoison);
  Put(lane, [this, to, from] {
    std::copy_n(At(from, static_cast<int64_t>(to.size())), to.size(), to.begin());
  });
}

void LateDevice::Copy(Lane lane, DevicePtr<std::byte> to, DevicePtr<const std::byte> from,
                      uint64_t bytes) {
  Put(lane, [this, to, from, count = static_cast<int64_t>(bytes)] {
    std::copy_n(At(from, count), count, At(to, count));
  });
}

void LateDevice::Put(Lane lane, Operation operation) {
  MutexLock lock(mutex_);
  Add(lane, {.operation = std::move(operation)});
  for (uint64_t steps = random_() % 4 == 0 ? random_() % 3 : 0; steps > 0 && Step(); --steps) {
  }
}

void LateDevice::Add(Lane lane, Item item) {
  item.order = next_order_++;
  At(lane).items.push_back(std::move(item));
}

Fence LateDevice::Mark(Lane lane) {
  MutexLock lock(mutex_);
  const uint64_t ticket = ++At(lane).marked;
  Add(lane, {.mark = ticket});
  return {.lane = lane, .ticket = ticket};
}

void LateDevice::Order(Lane waiter, const Fence& after) {
  if (waiter == hasty_) return;
  MutexLock lock(mutex_);
  LT_CHECK(after.ticket <= At(after.lane).marked);
  Add(waiter, {.after = after});
}

bool LateDevice::Ready(const LaneState& lane) const {
  if (lane.items.empty()) return false;
  const Fence& after = lane.items.front().after;
  return after.ticket <= lanes_[static_cast<size_t>(after.lane)].passed;
}

// One item of a lane that may go on.
bool LateDevice::Step() {
  std::vector<LaneState*> ready;
  for (LaneState& lane : lanes_) {
    if (Ready(lane)) ready.push_back(&lane);
  }
  if (ready.empty()) return false;
  LaneState& lane = *ready[random_() % ready.size()];
  const Item item = std::move(lane.items.front());
  lane.items.pop_front();
  if (item.mark != 0) lane.passed = item.mark;
  if (!item.operation) return true;
  for (const LaneState& other : lanes_) {
    const auto earlier = std::find_if(other.items.begin(), other.items.end(), [&](const Item& i) {
      return i.operation && i.order < item.order;
    });
    if (earlier != other.items.end()) ++overtaken_;
  }
  item.operation();
  return true;
}

bool LateDevice::Passed(const Fence& fence) {
  MutexLock lock(mutex_);
  LT_CHECK(fence.ticket <= At(fence.lane).marked);
  Step();
  return fence.ticket <= At(fence.lane).passed;
}

absl::Status LateDevice::Wait(const Fence& fence, int64_t) {
  if (forgets_) return absl::OkStatus();
  absl::Status failure;
  {
    MutexLock lock(mutex_);
    LT_CHECK(fence.ticket <= At(fence.lane).marked);
    while (failure_.ok() && At(fence.lane).passed < fence.ticket) {
      if (!Step()) Fatal("lanes wait for each other");
    }
    failure = failure_;
  }
  if (!failure.ok()) Lose(failure);
  return failure;
}

void LateDevice::Fail(const absl::Status& status) {
  MutexLock lock(mutex_);
  failure_ = status;
}

uint64_t LateDevice::overtaken() const {
  MutexLock lock(mutex_);
  return overtaken_;
}

}  // namespace longtake
