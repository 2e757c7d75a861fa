// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The GPU's device without a GPU, on a runtime that is late (tests/cuda/fake_cudart.h).
#include "engine/backend/cuda/cuda_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/error_reason.h"
#include "engine/backend/cuda/cuda.h"
#include "tests/cuda/fake_cudart.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000'000;
constexpr uint64_t kBytes = 1000;
constexpr uint64_t kSeeds = 20;

class CudaDeviceTest : public testing::Test {
 protected:
  CudaDeviceTest() { Renew(0); }

  void Renew(uint64_t seed) {
    device_.reset();
    cuda_ = &fake_cuda::Reset(seed);
    device_ = *CudaDevice::Create(0);
  }
  DeviceBuffer Allocate() { return *device_->Allocate(kBytes, nullptr); }
  AlignedBuffer Pinned(std::byte value) {
    AlignedBuffer out = *device_->AllocatePinned(kBytes, nullptr);
    std::fill(out.span().begin(), out.span().end(), value);
    return out;
  }
  static bool IsAll(const AlignedBuffer& buffer, std::byte value) {
    return std::count(buffer.span().begin(), buffer.span().end(), value) ==
           static_cast<int64_t>(buffer.size());
  }

  fake_cuda::State* cuda_ = nullptr;
  std::unique_ptr<CudaDevice> device_;
};

TEST_F(CudaDeviceTest, MemoryIsZeroAndComesBack) {
  EXPECT_EQ(device_->name(), "Fake, sm_90, 132 SMs");
  {
    const DeviceBuffer buffer = Allocate();
    EXPECT_EQ(cuda_->allocated, kBytes);
    AlignedBuffer out = Pinned(std::byte{1});
    EXPECT_EQ(cuda_->registered, 1u);
    device_->CopyOut(Lane::kSweep, out.span(), buffer.As<std::byte>());
    ASSERT_TRUE(device_->Wait(device_->Mark(Lane::kSweep), kSecond).ok());
    EXPECT_TRUE(IsAll(out, std::byte{0}));
  }
  EXPECT_EQ(cuda_->allocated, 0u);
  EXPECT_EQ(cuda_->registered, 0u);
  EXPECT_EQ(device_->Allocate(0, nullptr)->size(), 0u);
  EXPECT_EQ(device_->AllocatePinned(0, nullptr)->size(), 0u);
}

TEST_F(CudaDeviceTest, WhatIsKeptIsACopy) {
  std::vector<std::byte> host(kBytes, std::byte{7});
  const DeviceBuffer kept = *device_->Keep(host, nullptr);
  std::fill(host.begin(), host.end(), std::byte{8});
  AlignedBuffer out = Pinned(std::byte{1});
  device_->CopyOut(Lane::kDecode, out.span(), kept.As<std::byte>());
  ASSERT_TRUE(device_->Wait(device_->Mark(Lane::kDecode), kSecond).ok());
  EXPECT_TRUE(IsAll(out, std::byte{7}));
}

TEST_F(CudaDeviceTest, FencesOrderLanes) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Renew(seed);
    const DeviceBuffer a = Allocate();
    const DeviceBuffer b = Allocate();
    const AlignedBuffer in = Pinned(std::byte{3});
    AlignedBuffer out = Pinned(std::byte{1});
    device_->CopyIn(Lane::kCopyIn, a.As<std::byte>(), in.span());
    device_->Order(Lane::kSweep, device_->Mark(Lane::kCopyIn));
    device_->Copy(Lane::kSweep, b.As<std::byte>(), a.As<std::byte>(), kBytes);
    device_->Order(Lane::kCopyOut, device_->Mark(Lane::kSweep));
    device_->CopyOut(Lane::kCopyOut, out.span(), b.As<std::byte>());
    const Fence done = device_->Mark(Lane::kCopyOut);
    EXPECT_TRUE(IsAll(out, std::byte{1})) << "nobody has waited";
    ASSERT_TRUE(device_->Wait(done, kSecond).ok());
    EXPECT_TRUE(device_->Passed(done));
    EXPECT_TRUE(IsAll(out, std::byte{3})) << seed;
  }
}

// An event is recorded again after 64 marks of its lane: what it stood for has passed then.
TEST_F(CudaDeviceTest, FencesOutliveTheirEvents) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    Renew(seed);
    const DeviceBuffer a = Allocate();
    const AlignedBuffer in = Pinned(std::byte{3});
    AlignedBuffer out = Pinned(std::byte{1});
    device_->CopyIn(Lane::kSweep, a.As<std::byte>(), in.span());
    device_->CopyOut(Lane::kSweep, out.span(), a.As<std::byte>());
    const Fence first = device_->Mark(Lane::kSweep);
    std::vector<Fence> later;
    for (int i = 0; i < 64; ++i) later.push_back(device_->Mark(Lane::kSweep));
    EXPECT_TRUE(device_->Passed(first));
    EXPECT_TRUE(IsAll(out, std::byte{3})) << seed;
    for (int i = 0; i < 100; ++i) later.push_back(device_->Mark(Lane::kSweep));
    device_->Order(Lane::kDecode, later[3]);
    device_->Order(Lane::kDecode, later[160]);
    ASSERT_TRUE(device_->Wait(device_->Mark(Lane::kDecode), kSecond).ok());
    EXPECT_TRUE(device_->Passed(later[160]));
    ASSERT_TRUE(device_->Wait(later.back(), kSecond).ok());
    for (const Fence& fence : later) EXPECT_TRUE(device_->Passed(fence));
  }
}

TEST_F(CudaDeviceTest, WhoWaitsInVainIsTold) {
  cuda_->holds = true;
  EXPECT_EQ(device_->Wait(device_->Mark(Lane::kSweep), 1000).code(),
            absl::StatusCode::kUnavailable);
  cuda_->holds = false;
  EXPECT_TRUE(device_->Wait(device_->Mark(Lane::kSweep), kSecond).ok()) << "it was only late";
}

TEST_F(CudaDeviceTest, TheFirstCallThatFailsIsTheDevicesEnd) {
  absl::Status told;
  device_->OnLoss([&](const absl::Status& why) { told = why; });
  const DeviceBuffer a = Allocate();
  const AlignedBuffer in = Pinned(std::byte{3});
  cuda_->fails = "cudaMemcpyAsync";
  ASSERT_TRUE(device_->Wait(device_->Mark(Lane::kCopyIn), kSecond).ok()) << "not yet";
  device_->CopyIn(Lane::kCopyIn, a.As<std::byte>(), in.span());
  for (const Lane lane : {Lane::kCopyIn, Lane::kSweep}) {
    const absl::Status lost = device_->Wait(device_->Mark(lane), kSecond);
    EXPECT_EQ(ReasonFor(lost), Reason::kDeviceLost) << lost;
    EXPECT_EQ(lost.message(), "cudaMemcpyAsync: unspecified launch failure");
    EXPECT_EQ(told, lost);
  }
  EXPECT_FALSE(device_->Allocate(kBytes, nullptr).ok());
}

// Fences pass as if nothing had been, and what they stand for was not done.
TEST_F(CudaDeviceTest, WhatOneCallLostNoFenceBringsBack) {
  const DeviceBuffer a = Allocate();
  const AlignedBuffer in = Pinned(std::byte{3});
  const Fence before = device_->Mark(Lane::kCopyIn);
  ASSERT_TRUE(device_->Wait(before, kSecond).ok());
  cuda_->fails_once = "cudaMemcpyAsync";
  device_->CopyIn(Lane::kCopyIn, a.As<std::byte>(), in.span());
  for (const Fence& fence : {before, device_->Mark(Lane::kCopyIn), device_->Mark(Lane::kDecode)}) {
    while (!device_->Passed(fence)) {
    }
    EXPECT_EQ(ReasonFor(device_->Wait(fence, kSecond)), Reason::kDeviceLost);
  }
}

TEST_F(CudaDeviceTest, NoMemoryIsNoLoss) {
  const absl::Status refused = device_->Allocate(uint64_t{2} << 30, nullptr).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("cudaMalloc: out of memory"));
  cuda_->may_lock = false;
  const absl::Status unlocked = device_->AllocatePinned(kBytes, nullptr).status();
  EXPECT_EQ(unlocked.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(unlocked.message()), HasSubstr("ulimit -l"));
  EXPECT_TRUE(device_->Wait(device_->Mark(Lane::kSweep), kSecond).ok());
}

TEST_F(CudaDeviceTest, SweepsGoFirstAndDecodingLast) {
  EXPECT_THAT(cuda_->priorities, testing::ElementsAre(-2, -1, -1, -1, 0));
}

TEST_F(CudaDeviceTest, AGpuThatIsNotThereIsNamed) {
  const absl::Status missing = CreateCudaDevice(1).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(missing.message(), "CUDA: invalid device ordinal");
}

}  // namespace
}  // namespace longtake
