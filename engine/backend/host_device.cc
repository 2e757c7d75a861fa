// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/host_device.h"

#include <cstring>

namespace longtake {
namespace {

constexpr uint64_t kAlignment = 256;
constexpr uint64_t kBlockBytes = 4096;

struct HostMemory final : DeviceMemory {
  explicit HostMemory(AlignedBuffer bytes) : buffer(std::move(bytes)) {}
  AlignedBuffer buffer;
};

}  // namespace

absl::StatusOr<DeviceBuffer> HostDevice::Allocate(uint64_t bytes,
                                                  const MemoryPopulator* populator) {
  LT_ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Allocate(bytes, kAlignment, populator));
  const DevicePtr<std::byte> begin(buffer.data());
  return DeviceBuffer(begin, bytes, std::make_unique<HostMemory>(std::move(buffer)));
}

absl::StatusOr<AlignedBuffer> HostDevice::AllocatePinned(uint64_t bytes,
                                                         const MemoryPopulator* populator) {
  return AlignedBuffer::Allocate(bytes, kBlockBytes, populator);
}

absl::StatusOr<DeviceBuffer> HostDevice::Keep(std::span<const std::byte> host,
                                              const MemoryPopulator*) {
  // Nobody writes to what is kept.
  const DevicePtr begin(const_cast<std::byte*>(host.data()));
  return DeviceBuffer(begin, host.size(), nullptr);
}

void HostDevice::CopyIn(Lane lane, DevicePtr<std::byte> to, std::span<const std::byte> from) {
  Copy(lane, to, DevicePtr(from.data()), from.size());
}

void HostDevice::CopyOut(Lane lane, std::span<std::byte> to, DevicePtr<const std::byte> from) {
  Copy(lane, DevicePtr(to.data()), from, to.size());
}

void HostDevice::Copy(Lane, DevicePtr<std::byte> to, DevicePtr<const std::byte> from,
                      uint64_t bytes) {
  if (bytes > 0) std::memcpy(to.address(), from.address(), bytes);
}

Fence HostDevice::Mark(Lane lane) {
  return {.lane = lane, .ticket = ++tickets_[static_cast<size_t>(lane)]};
}

void HostDevice::Order(Lane, const Fence& after) { LT_CHECK(Passed(after)); }

bool HostDevice::Passed(const Fence& fence) {
  // One that was never made is a mistake of the caller, which another device would wait for.
  LT_CHECK(fence.ticket <= tickets_[static_cast<size_t>(fence.lane)]);
  return true;
}

absl::Status HostDevice::Wait(const Fence& fence, int64_t) {
  LT_CHECK(Passed(fence));
  return absl::OkStatus();
}

}  // namespace longtake
