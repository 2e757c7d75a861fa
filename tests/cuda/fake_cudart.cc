// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/cuda/fake_cudart.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <random>

#include "base/mutex.h"
#include "base/status_macros.h"

// Of these CUDA tells only the names.
struct CUevent_st {
  uint64_t recorded = 0;  // times
  uint64_t passed = 0;
};
struct CUstream_st {
  struct Item {
    std::function<void()> run = {};  // or one of these
    CUevent_st* record = nullptr;
    CUevent_st* wait = nullptr;
    uint64_t time = 0;  // of the event
  };
  std::deque<Item> items = {};
};

namespace fake_cuda {
namespace {

struct Machine {
  longtake::Mutex mutex;
  State state;
  std::mt19937_64 random;
  std::vector<std::unique_ptr<CUstream_st>> streams;
  std::vector<std::unique_ptr<CUevent_st>> events;
  CUstream_st& per_thread = *streams.emplace_back(std::make_unique<CUstream_st>());
  std::map<void*, uint64_t> memory;
  std::map<void*, uint64_t> registered;

  // What a call of this name answers.
  cudaError_t Call(const char* name) {
    if (state.fails_once == name) {
      state.fails_once.clear();
      return cudaErrorLaunchFailure;
    }
    if (state.fails == name) broken = true;
    return broken ? cudaErrorLaunchFailure : cudaSuccess;
  }
  // One thing of a stream that may go on.
  bool Step() {
    if (state.holds) return false;
    std::vector<CUstream_st*> ready;
    for (const auto& stream : streams) {
      if (stream->items.empty()) continue;
      const CUstream_st::Item& item = stream->items.front();
      if (item.wait == nullptr || item.wait->passed >= item.time) ready.push_back(stream.get());
    }
    if (ready.empty()) return false;
    CUstream_st& stream = *ready[random() % ready.size()];
    const CUstream_st::Item item = std::move(stream.items.front());
    stream.items.pop_front();
    if (item.run) item.run();
    if (item.record != nullptr) item.record->passed = item.time;
    return true;
  }

  bool broken = false;
};

std::unique_ptr<Machine> machine;
constexpr std::align_val_t kAlignment{256};

}  // namespace

State& Reset(uint64_t seed) {
  LT_CHECK(machine == nullptr || (machine->memory.empty() && machine->registered.empty()));
  machine = std::make_unique<Machine>();
  machine->random.seed(seed);
  return machine->state;
}

}  // namespace fake_cuda

using fake_cuda::kAlignment;
using fake_cuda::machine;
using longtake::MutexLock;

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
  if (index >= machine->state.devices) return cudaErrorInvalidDevice;
  std::strcpy(properties->name, "Fake");
  properties->major = machine->state.major;
  properties->multiProcessorCount = 132;
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    default:
      return "unspecified launch failure";
  }
}
cudaError_t cudaSetDevice(int) { return machine->Call("cudaSetDevice"); }
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 1;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int priority) {
  *stream = machine->streams.emplace_back(std::make_unique<CUstream_st>()).get();
  machine->state.priorities.push_back(priority);
  return machine->Call("cudaStreamCreateWithPriority");
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  std::erase_if(machine->streams, [=](const auto& one) { return one.get() == stream; });
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = machine->events.emplace_back(std::make_unique<CUevent_st>()).get();
  return machine->Call("cudaEventCreateWithFlags");
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  std::erase_if(machine->events, [=](const auto& one) { return one.get() == event; });
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** begin, size_t bytes) {
  MutexLock lock(machine->mutex);
  if (const cudaError_t error = machine->Call("cudaMalloc"); error != cudaSuccess) return error;
  if (bytes > machine->state.memory_free) return cudaErrorMemoryAllocation;
  machine->state.memory_free -= bytes;
  machine->state.allocated += bytes;
  *begin = ::operator new(bytes, kAlignment);
  std::memset(*begin, 0xa5, bytes);
  machine->memory[*begin] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* begin) {
  MutexLock lock(machine->mutex);
  const auto found = machine->memory.find(begin);
  LT_CHECK(found != machine->memory.end());
  machine->state.memory_free += found->second;
  machine->state.allocated -= found->second;
  machine->memory.erase(found);
  ::operator delete(begin, kAlignment);
  return cudaSuccess;
}
cudaError_t cudaHostRegister(void* begin, size_t bytes, unsigned) {
  MutexLock lock(machine->mutex);
  if (const cudaError_t error = machine->Call("cudaHostRegister"); error != cudaSuccess)
    return error;
  if (!machine->state.may_lock) return cudaErrorMemoryAllocation;
  machine->registered[begin] = bytes;
  ++machine->state.registered;
  return cudaSuccess;
}
cudaError_t cudaHostUnregister(void* begin) {
  MutexLock lock(machine->mutex);
  LT_CHECK(machine->registered.erase(begin) == 1);
  *static_cast<volatile char*>(begin);  // it is still there
  --machine->state.registered;
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  MutexLock lock(machine->mutex);
  if (stream == cudaStreamPerThread) stream = &machine->per_thread;
  stream->items.push_back({.run = [=] { std::memcpy(to, from, bytes); }});
  return machine->Call("cudaMemcpyAsync");
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  MutexLock lock(machine->mutex);
  if (stream == cudaStreamPerThread) stream = &machine->per_thread;
  stream->items.push_back({.run = [=] { std::memset(to, value, bytes); }});
  return machine->Call("cudaMemsetAsync");
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  MutexLock lock(machine->mutex);
  if (stream == cudaStreamPerThread) stream = &machine->per_thread;
  while (!stream->items.empty() && machine->Step()) {
  }
  return machine->Call("cudaStreamSynchronize");
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  MutexLock lock(machine->mutex);
  stream->items.push_back({.record = event, .time = ++event->recorded});
  return machine->Call("cudaEventRecord");
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  MutexLock lock(machine->mutex);
  stream->items.push_back({.wait = event, .time = event->recorded});
  return machine->Call("cudaStreamWaitEvent");
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  MutexLock lock(machine->mutex);
  machine->Step();
  if (const cudaError_t error = machine->Call("cudaEventQuery"); error != cudaSuccess) return error;
  return event->passed >= event->recorded ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  MutexLock lock(machine->mutex);
  while (event->passed < event->recorded && machine->Step()) {
  }
  return machine->Call("cudaEventSynchronize");
}
