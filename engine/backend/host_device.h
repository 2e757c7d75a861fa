// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The CPU as a device: its memory is the host's, whatever is put into a lane is done at once, and
// every fence has passed when it is made.
#pragma once

#include <array>
#include <atomic>

#include "engine/backend/device.h"

namespace longtake {

class HostDevice final : public Device {
 public:
  std::string_view name() const override { return "cpu"; }
  absl::StatusOr<DeviceBuffer> Allocate(uint64_t bytes, const MemoryPopulator* populator) override;
  absl::StatusOr<AlignedBuffer> AllocatePinned(uint64_t bytes,
                                               const MemoryPopulator* populator) override;
  absl::StatusOr<DeviceBuffer> Keep(std::span<const std::byte> host,
                                    const MemoryPopulator* populator) override;
  DevicePtr<std::byte> Mapped(std::byte* pinned) override { return DevicePtr(pinned); }
  DevicePtr<const std::byte> Mapped(const std::byte* pinned) override { return DevicePtr(pinned); }
  void CopyIn(Lane lane, DevicePtr<std::byte> to, std::span<const std::byte> from) override;
  void CopyOut(Lane lane, std::span<std::byte> to, DevicePtr<const std::byte> from) override;
  void Copy(Lane lane, DevicePtr<std::byte> to, DevicePtr<const std::byte> from,
            uint64_t bytes) override;
  Fence Mark(Lane lane) override;
  void Order(Lane waiter, const Fence& after) override;
  bool Passed(const Fence& fence) override;
  absl::Status Wait(const Fence& fence, int64_t timeout_nanos) override;

 private:
  std::array<std::atomic<uint64_t>, kLaneCount> tickets_ = {};  // handed out, per lane
};

}  // namespace longtake
