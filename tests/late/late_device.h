// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A device that is as late and as disorderly as it may: what is put into its lanes is done when
// somebody waits, lane after lane in an order drawn from a seed, and only fences hold it. Its
// memory has addresses of its own, which no processor has, so host code that follows one crashes;
// an operation that uses memory which was freed, never was the device's, or changed under it ends
// the program with a message. A model that gets the same bits here needs no device's kindness.
//
// Any thread; operations are run one at a time, on the thread that waits or puts something.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <span>

#include "base/mutex.h"
#include "engine/backend/device.h"

namespace longtake {

class LateDevice final : public Device {
 public:
  explicit LateDevice(uint64_t seed) : random_(seed) {}

  std::string_view name() const override { return "late"; }
  absl::StatusOr<DeviceBuffer> Allocate(uint64_t bytes, const MemoryPopulator* populator) override;
  absl::StatusOr<AlignedBuffer> AllocatePinned(uint64_t bytes,
                                               const MemoryPopulator* populator) override;
  absl::StatusOr<DeviceBuffer> Keep(std::span<const std::byte> host,
                                    const MemoryPopulator* populator) override;
  DevicePtr<std::byte> Mapped(std::byte* pinned) override;
  DevicePtr<const std::byte> Mapped(const std::byte* pinned) override;
  void CopyIn(Lane lane, DevicePtr<std::byte> to, std::span<const std::byte> from) override;
  void CopyOut(Lane lane, std::span<std::byte> to, DevicePtr<const std::byte> from) override;
  void Copy(Lane lane, DevicePtr<std::byte> to, DevicePtr<const std::byte> from,
            uint64_t bytes) override;
  Fence Mark(Lane lane) override;
  void Order(Lane waiter, const Fence& after) override;
  bool Passed(const Fence& fence) override;
  absl::Status Wait(const Fence& fence, int64_t timeout_nanos) override;

  // Of a backend: run when the lane has come to it.
  using Operation = std::function<void()>;
  void Put(Lane lane, Operation operation) ABSL_LOCKS_EXCLUDED(mutex_);
  // Within an operation: so many values as the host has them; null for null.
  template <typename T>
  T* At(DevicePtr<T> pointer, int64_t count) {
    return static_cast<T*>(
        const_cast<void*>(Find(pointer.address(), static_cast<uint64_t>(count) * sizeof(T))));
  }
  const void* Find(const void* pointer, uint64_t bytes);
  // Of mapped memory that an operation will read, to be compared when it does: see Unchanged.
  uint64_t Watch(DevicePtr<const void> pointer, uint64_t bytes);
  void Unchanged(DevicePtr<const void> pointer, uint64_t bytes, uint64_t watched);
  // Of mapped memory that an operation will write: nobody takes what is there for the result.
  void Spoil(DevicePtr<const void> pointer, uint64_t bytes);

  // Told of memory that comes (and with a minus, goes), of all late devices. May be null.
  static inline void (*on_memory)(int64_t bytes) = nullptr;
  // What was planted: Wait answers at once and nothing is done for it; from now on Wait fails.
  void ForgetToWait() { forgets_ = true; }
  // And this lane goes on before what it is told to wait for.
  void ForgetToOrder(Lane waiter) { hasty_ = waiter; }
  void Fail(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Operations that were overtaken by one that was put in later.
  uint64_t overtaken() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Memory;
  struct Item {
    uint64_t order = 0;        // in which all were put
    Operation operation = {};  // or one of these
    uint64_t mark = 0;
    Fence after = {};
  };
  struct LaneState {
    std::deque<Item> items;
    uint64_t marked = 0;  // tickets handed out
    uint64_t passed = 0;
  };

  void Free(uint64_t begin) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a copy that waits reads some of it.
  bool IsRead(std::span<const std::byte> host) const ABSL_LOCKS_EXCLUDED(memory_mutex_);
  void Add(Lane lane, Item item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Step() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Ready(const LaneState& lane) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  LaneState& At(Lane lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return lanes_[static_cast<size_t>(lane)];
  }

  mutable Mutex mutex_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  std::array<LaneState, kLaneCount> lanes_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_order_ ABSL_GUARDED_BY(mutex_) = 1;
  uint64_t overtaken_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> forgets_ = false;
  std::optional<Lane> hasty_ = {};

  mutable Mutex memory_mutex_;
  // Memory of the host, by address and bytes, from which something is still to be copied.
  std::multiset<std::pair<const std::byte*, size_t>> reads_ ABSL_GUARDED_BY(memory_mutex_);
  std::map<uint64_t, AlignedBuffer> memory_ ABSL_GUARDED_BY(memory_mutex_);  // by address
  uint64_t next_address_ ABSL_GUARDED_BY(memory_mutex_) = uint64_t{1} << 62;
};

}  // namespace longtake
