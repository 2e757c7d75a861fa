// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Memory and order of one device. Work is put into lanes; within a lane it is done in the order in
// which it was put, between lanes in the order that fences say. Nothing fails at once: what a
// device does wrong comes out of Wait, there and from then on.
//
// A lane is used by one thread at a time; Passed and Wait are asked by any. The device outlives its
// buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/memory_populator.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "engine/backend/device_ptr.h"

namespace longtake {

// Ops of sweeps; what is prepared for them; copies into the device and out of it; decoding.
enum class Lane { kSweep, kPrepare, kCopyIn, kCopyOut, kDecode };
inline constexpr size_t kLaneCount = 5;

// A point in a lane, behind all that was put into it before. A plain value; the default is passed.
struct Fence {
  Lane lane = Lane::kSweep;
  uint64_t ticket = 0;  // counted per lane
};

// Gives a device's memory back when it goes.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
};

// Memory of a device. Move only.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(DevicePtr<std::byte> begin, uint64_t size, std::unique_ptr<DeviceMemory> memory)
      : begin_(begin), size_(size), memory_(std::move(memory)) {}

  uint64_t size() const { return size_; }
  template <typename T>
  DevicePtr<T> As() const {
    return DevicePtr<T>(reinterpret_cast<T*>(begin_.address()));
  }

 private:
  DevicePtr<std::byte> begin_;
  uint64_t size_ = 0;
  std::unique_ptr<DeviceMemory> memory_;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;  // for people: "cpu"

  // At start or admission only. Zeroed, aligned to 256 bytes. RESOURCE_EXHAUSTED when there is no
  // room, and the populator's errors; it may be null.
  virtual absl::StatusOr<DeviceBuffer> Allocate(uint64_t bytes,
                                                const MemoryPopulator* populator) = 0;
  // Host memory that copies reach at full speed, aligned to blocks of a disk. The same errors.
  virtual absl::StatusOr<AlignedBuffer> AllocatePinned(uint64_t bytes,
                                                       const MemoryPopulator* populator) = 0;

  // What stays in host memory, as ops read it: the same memory where they reach it, else a copy,
  // which is there when this returns. The host's goes after the buffer. Errors of Allocate and
  // Wait.
  virtual absl::StatusOr<DeviceBuffer> Keep(std::span<const std::byte> host,
                                            const MemoryPopulator* populator) = 0;
  // Pinned memory as ops reach it where it lies, at the speed of copies.
  virtual DevicePtr<std::byte> Mapped(std::byte* pinned) = 0;
  virtual DevicePtr<const std::byte> Mapped(const std::byte* pinned) = 0;

  // Host memory is from AllocatePinned, or the copy takes longer. It stays as it is, or is not
  // looked at, until a fence behind the copy has passed.
  virtual void CopyIn(Lane lane, DevicePtr<std::byte> to, std::span<const std::byte> from) = 0;
  virtual void CopyOut(Lane lane, std::span<std::byte> to, DevicePtr<const std::byte> from) = 0;
  virtual void Copy(Lane lane, DevicePtr<std::byte> to, DevicePtr<const std::byte> from,
                    uint64_t bytes) = 0;

  virtual Fence Mark(Lane lane) = 0;
  // What is put into the lane from now on waits for the fence, on the device.
  virtual void Order(Lane waiter, const Fence& after) = 0;
  virtual bool Passed(const Fence& fence) = 0;
  // Blocks. UNAVAILABLE when the device does not get there in time. INTERNAL with the reason
  // DEVICE_LOST and the name of the first call that failed, from then on.
  virtual absl::Status Wait(const Fence& fence, int64_t timeout_nanos) = 0;

  // The observer is told why the device is lost: once, by the thread that finds it, or here when it
  // was found before. It must not call the device; when this returns, the one before is told no
  // more. May be empty.
  using LossObserver = std::function<void(const absl::Status&)>;
  void OnLoss(LossObserver observer) ABSL_LOCKS_EXCLUDED(loss_mutex_);

 protected:
  // Of what fails first; the others are forgotten.
  void Lose(const absl::Status& why) ABSL_LOCKS_EXCLUDED(loss_mutex_);
  absl::Status loss() const ABSL_LOCKS_EXCLUDED(loss_mutex_);

 private:
  mutable Mutex loss_mutex_;
  absl::Status loss_ ABSL_GUARDED_BY(loss_mutex_);
  LossObserver on_loss_ ABSL_GUARDED_BY(loss_mutex_);
};

}  // namespace longtake
