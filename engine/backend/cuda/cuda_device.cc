// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cuda_device.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/error_reason.h"
#include "engine/backend/cuda/cuda.h"

namespace longtake {
namespace {

constexpr uint64_t kBlockBytes = 4096;
constexpr int kSpins = 100;  // before a waiting thread sleeps
constexpr std::chrono::microseconds kSleep{20};

std::string Says(cudaError_t error, const char* call) {
  return absl::StrCat(call, ": ", cudaGetErrorString(error));
}

// Only a lane's own thread waits on the device for it; all of a GPU's other work goes first.
constexpr std::array<int, kLaneCount> kUrgency = {2, 1, 1, 1, 0};  // in the order of Lane

void Reach(std::atomic<uint64_t>& passed, uint64_t ticket) {
  uint64_t now = passed;
  while (now < ticket && !passed.compare_exchange_weak(now, ticket)) {
  }
}

class CudaMemory final : public DeviceMemory {
 public:
  explicit CudaMemory(void* begin) : begin_(begin) {}
  // A device that is lost takes nothing back.
  ~CudaMemory() override { static_cast<void>(cudaFree(begin_)); }
  CudaMemory(const CudaMemory&) = delete;
  CudaMemory& operator=(const CudaMemory&) = delete;

 private:
  void* const begin_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> CreateCudaDevice(int index) {
  return CudaDevice::Create(index);
}

absl::StatusOr<std::unique_ptr<CudaDevice>> CudaDevice::Create(int index) {
  cudaDeviceProp properties = {};
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, index); error != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return absl::UnavailableError(Says(error, "CUDA"));
  }
  auto device = std::unique_ptr<CudaDevice>(new CudaDevice(index, properties));
  LT_RETURN_IF_ERROR(device->Open());
  return device;
}

CudaDevice::CudaDevice(int index, const cudaDeviceProp& properties)
    : index_(index),
      architecture_(properties.major * 10 + properties.minor),
      card_(absl::StrCat("sm_", architecture_, ", ", properties.multiProcessorCount, " SMs")),
      name_(absl::StrCat(properties.name, ", ", card_)) {}

absl::Status CudaDevice::Must(cudaError_t error, const char* call) {
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(name_, ": ", Says(error, call)));
}

absl::Status CudaDevice::Open() {
  LT_RETURN_IF_ERROR(Must(cudaSetDevice(index_), "cudaSetDevice"));
  int same_addresses = 0;
  LT_RETURN_IF_ERROR(Must(
      cudaDeviceGetAttribute(&same_addresses, cudaDevAttrCanUseHostPointerForRegisteredMem, index_),
      "cudaDeviceGetAttribute"));
  if (same_addresses == 0) {
    return absl::UnavailableError(name_ + ": does not reach the host's memory at its addresses");
  }
  int least = 0;
  int greatest = 0;  // the smaller number
  LT_RETURN_IF_ERROR(Must(cudaDeviceGetStreamPriorityRange(&least, &greatest),
                          "cudaDeviceGetStreamPriorityRange"));
  for (size_t i = 0; i < kLaneCount; ++i) {
    const int priority = std::max(greatest, least - kUrgency[i]);
    LT_RETURN_IF_ERROR(
        Must(cudaStreamCreateWithPriority(&lanes_[i].stream, cudaStreamNonBlocking, priority),
             "cudaStreamCreateWithPriority"));
    for (cudaEvent_t& event : lanes_[i].events) {
      LT_RETURN_IF_ERROR(Must(cudaEventCreateWithFlags(&event, cudaEventDisableTiming),
                              "cudaEventCreateWithFlags"));
    }
  }
  return absl::OkStatus();
}

CudaDevice::~CudaDevice() {
  static_cast<void>(cudaSetDevice(index_));
  for (LaneState& lane : lanes_) {
    for (cudaEvent_t event : lane.events) {
      if (event != nullptr) static_cast<void>(cudaEventDestroy(event));
    }
    if (lane.stream != nullptr) static_cast<void>(cudaStreamDestroy(lane.stream));
  }
}

void CudaDevice::Check(cudaError_t error, const char* call) {
  if (error != cudaSuccess) Lose(Error(Reason::kDeviceLost, Says(error, call)));
}

void CudaDevice::Fail(const absl::Status& why) {
  if (!why.ok()) Lose(Error(Reason::kDeviceLost, std::string(why.message())));
}

absl::StatusOr<DeviceBuffer> CudaDevice::Allocate(uint64_t bytes, const MemoryPopulator*) {
  if (bytes == 0) return DeviceBuffer();
  Use();
  void* begin = nullptr;
  if (const cudaError_t error = cudaMalloc(&begin, bytes); error != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return absl::ResourceExhaustedError(
        absl::StrCat(name_, ": cannot allocate ", bytes, " bytes: ", Says(error, "cudaMalloc")));
  }
  DeviceBuffer buffer(DevicePtr(static_cast<std::byte*>(begin)), bytes,
                      std::make_unique<CudaMemory>(begin));
  Check(cudaMemsetAsync(begin, 0, bytes, cudaStreamPerThread), "cudaMemsetAsync");
  Check(cudaStreamSynchronize(cudaStreamPerThread), "cudaStreamSynchronize");
  LT_RETURN_IF_ERROR(loss());
  return buffer;
}

absl::StatusOr<AlignedBuffer> CudaDevice::AllocatePinned(uint64_t bytes,
                                                         const MemoryPopulator* populator) {
  LT_ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Allocate(bytes, kBlockBytes, populator));
  if (bytes == 0) return buffer;
  Use();
  const cudaError_t error =
      cudaHostRegister(buffer.data(), bytes, cudaHostRegisterPortable | cudaHostRegisterMapped);
  if (error != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return absl::ResourceExhaustedError(
        absl::StrCat(name_, ": cannot lock ", bytes, " bytes of the host's memory: ",
                     Says(error, "cudaHostRegister"), "; the limit is that of ulimit -l"));
  }
  buffer.OnRelease([](std::byte* memory) { static_cast<void>(cudaHostUnregister(memory)); });
  return buffer;
}

absl::StatusOr<DeviceBuffer> CudaDevice::Keep(std::span<const std::byte> host,
                                              const MemoryPopulator* populator) {
  LT_ASSIGN_OR_RETURN(DeviceBuffer kept, Allocate(host.size(), populator));
  if (host.empty()) return kept;
  Check(cudaMemcpyAsync(kept.As<std::byte>().address(), host.data(), host.size(),
                        cudaMemcpyHostToDevice, cudaStreamPerThread),
        "cudaMemcpyAsync");
  Check(cudaStreamSynchronize(cudaStreamPerThread), "cudaStreamSynchronize");
  LT_RETURN_IF_ERROR(loss());
  return kept;
}

void CudaDevice::Transfer(Lane lane, void* to, const void* from, uint64_t bytes,
                          cudaMemcpyKind kind) {
  if (bytes == 0) return;
  Use();
  Check(cudaMemcpyAsync(to, from, bytes, kind, stream(lane)), "cudaMemcpyAsync");
}

void CudaDevice::CopyIn(Lane lane, DevicePtr<std::byte> to, std::span<const std::byte> from) {
  Transfer(lane, to.address(), from.data(), from.size(), cudaMemcpyHostToDevice);
}

void CudaDevice::CopyOut(Lane lane, std::span<std::byte> to, DevicePtr<const std::byte> from) {
  Transfer(lane, to.data(), from.address(), to.size(), cudaMemcpyDeviceToHost);
}

// Either may be mapped memory of the host.
void CudaDevice::Copy(Lane lane, DevicePtr<std::byte> to, DevicePtr<const std::byte> from,
                      uint64_t bytes) {
  Transfer(lane, to.address(), from.address(), bytes, cudaMemcpyDefault);
}

Fence CudaDevice::Mark(Lane lane) {
  LaneState& state = At(lane);
  const uint64_t ticket = state.marked + 1;
  cudaEvent_t event = state.events[ticket % kEvents];
  Use();
  if (ticket > kEvents) {
    Check(cudaEventSynchronize(event), "cudaEventSynchronize");
    Reach(state.passed, ticket - kEvents);
  }
  Check(cudaEventRecord(event, state.stream), "cudaEventRecord");
  state.marked = ticket;
  return {.lane = lane, .ticket = ticket};
}

// An event that was recorded again since then is behind the fence.
void CudaDevice::Order(Lane waiter, const Fence& after) {
  LaneState& state = At(after.lane);
  LT_CHECK(after.ticket <= state.marked);
  if (after.ticket <= state.passed) return;
  Use();
  Check(cudaStreamWaitEvent(stream(waiter), state.events[after.ticket % kEvents], 0),
        "cudaStreamWaitEvent");
}

bool CudaDevice::Passed(const Fence& fence) {
  LaneState& state = At(fence.lane);
  LT_CHECK(fence.ticket <= state.marked);
  if (fence.ticket <= state.passed) return true;
  Use();
  const cudaError_t answer = cudaEventQuery(state.events[fence.ticket % kEvents]);
  if (answer == cudaErrorNotReady) return fence.ticket <= state.passed;  // recorded again just now
  Check(answer, "cudaEventQuery");
  if (answer != cudaSuccess) return false;
  Reach(state.passed, fence.ticket);
  return true;
}

absl::Status CudaDevice::Wait(const Fence& fence, int64_t timeout_nanos) {
  SystemClock clock;
  const int64_t begin = clock.MonotonicNanos();
  for (int tries = 0; !Passed(fence); ++tries) {
    LT_RETURN_IF_ERROR(loss());
    if (clock.MonotonicNanos() - begin >= timeout_nanos) {
      return absl::UnavailableError(absl::StrCat(name_, ": not done in time"));
    }
    if (tries >= kSpins) std::this_thread::sleep_for(kSleep);
  }
  return loss();
}

}  // namespace longtake
