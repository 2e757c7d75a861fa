// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A GPU as a device: lanes are streams, fences are events. Each lane has a ring of events; one that
// is used again has passed. Whatever CUDA refuses is kept and comes out of Wait.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "engine/backend/device.h"

namespace longtake {

class CudaDevice final : public Device {
 public:
  // As CreateCudaDevice.
  static absl::StatusOr<std::unique_ptr<CudaDevice>> Create(int index);
  ~CudaDevice() override;

  std::string_view name() const override { return name_; }
  // What decides which kernels fit, and how many blocks run at once: "sm_90, 132 SMs".
  std::string_view card() const { return card_; }
  int architecture() const { return architecture_; }  // 90
  int index() const { return index_; }
  absl::StatusOr<DeviceBuffer> Allocate(uint64_t bytes, const MemoryPopulator* populator) override;
  // Also RESOURCE_EXHAUSTED when the process may not lock so much memory.
  absl::StatusOr<AlignedBuffer> AllocatePinned(uint64_t bytes,
                                               const MemoryPopulator* populator) override;
  absl::StatusOr<DeviceBuffer> Keep(std::span<const std::byte> host,
                                    const MemoryPopulator* populator) override;
  // A GPU of x86-64 reaches it at the host's own address.
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

  // Where ops of the lane are put.
  cudaStream_t stream(Lane lane) { return At(lane).stream; }
  // Of ops: what a call answered, by name.
  void Check(cudaError_t error, const char* call);
  // Of ops: what went wrong in another way. The device is lost as by a call.
  void Fail(const absl::Status& why);
  // Of ops: what is not there at all. Wait answers with it as it is.
  void Refuse(const absl::Status& why) { Lose(why); }
  // For libraries, which work on the thread's device.
  absl::Status MakeCurrent() {
    Use();
    return loss();
  }

 private:
  static constexpr uint64_t kEvents = 64;
  struct LaneState {
    cudaStream_t stream = nullptr;
    std::array<cudaEvent_t, kEvents> events = {};  // of ticket t at t mod kEvents
    std::atomic<uint64_t> marked = 0;
    std::atomic<uint64_t> passed = 0;  // at least
  };

  CudaDevice(int index, const cudaDeviceProp& properties);
  absl::Status Open();
  // Every call of CUDA is of the thread's device.
  void Use() { Check(cudaSetDevice(index_), "cudaSetDevice"); }
  LaneState& At(Lane lane) { return lanes_[static_cast<size_t>(lane)]; }
  void Transfer(Lane lane, void* to, const void* from, uint64_t bytes, cudaMemcpyKind kind);
  // A call of Open.
  absl::Status Must(cudaError_t error, const char* call);

  const int index_;
  const int architecture_;
  const std::string card_;
  const std::string name_;
  std::array<LaneState, kLaneCount> lanes_;
};

}  // namespace longtake
