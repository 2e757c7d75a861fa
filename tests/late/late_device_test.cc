// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The late device finds what a kind device would forgive: a fence that is missing, memory that is
// used again too early, and host code that follows an address.
#include "tests/late/late_device.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/worker_pool.h"
#include "engine/backend/upload.h"
#include "tests/late/late_backend.h"

namespace longtake {
namespace {

constexpr int64_t kCount = 1000;
constexpr int64_t kSeconds = 1'000'000'000;

class LateDeviceTest : public testing::Test {
 protected:
  explicit LateDeviceTest(uint64_t seed = 1)
      : backend_(std::make_unique<LateBackend>(seed, *CreateCpuBackend(workers_))) {}

  LateDevice& device() { return backend_->device(); }
  DeviceBuffer Ones() {
    const std::vector<float> ones(kCount, 1.0f);
    return *Upload(*backend_, std::as_bytes(std::span(ones)));
  }
  std::vector<float> Read(const DeviceBuffer& buffer) {
    std::vector<float> out(kCount);
    device().CopyOut(Lane::kSweep, std::as_writable_bytes(std::span(out)), buffer.As<std::byte>());
    EXPECT_TRUE(backend_->Await().ok());
    return out;
  }

  WorkerPool workers_{1};
  std::unique_ptr<LateBackend> backend_;
};
using LateDeviceDeathTest = LateDeviceTest;

TEST_F(LateDeviceTest, WhatIsOrderedComesOut) {
  const DeviceBuffer x = Ones();
  for (int i = 0; i < 10; ++i)
    backend_->GatedAdd({.x = x.As<float>(), .y = x.As<float>(), .rows = 1, .width = kCount});
  EXPECT_EQ(Read(x), std::vector<float>(kCount, 1024.0f));
}

// Half of all devices see the copy before the sum.
TEST_F(LateDeviceTest, AMissingFenceIsSeen) {
  int right = 0;
  constexpr int kTries = 40;
  for (const bool fence : {true, false}) {
    right = 0;
    for (uint64_t seed = 0; seed < kTries; ++seed) {
      backend_ = std::make_unique<LateBackend>(seed, *CreateCpuBackend(workers_));
      const DeviceBuffer x = Ones();
      const DeviceBuffer y = *device().Allocate(kCount * sizeof(float), nullptr);
      backend_->GatedAdd({.x = x.As<float>(), .y = x.As<float>(), .rows = 1, .width = kCount});
      if (fence) device().Order(Lane::kPrepare, device().Mark(Lane::kSweep));
      device().Copy(Lane::kPrepare, y.As<std::byte>(), x.As<std::byte>(), x.size());
      EXPECT_TRUE(device().Wait(device().Mark(Lane::kPrepare), kSeconds).ok());
      right += Read(y) == std::vector<float>(kCount, 2.0f) ? 1 : 0;
      EXPECT_EQ(Read(x)[0], 2.0f);
    }
    if (fence) {
      EXPECT_EQ(right, kTries);
    }
  }
  EXPECT_LT(right, kTries * 3 / 4);
  EXPECT_GT(right, 0);
}

TEST_F(LateDeviceTest, WhatIsNotWaitedForIsNotThere) {
  const DeviceBuffer x = Ones();
  std::vector<float> out(kCount);
  device().ForgetToWait();
  device().CopyOut(Lane::kSweep, std::as_writable_bytes(std::span(out)), x.As<std::byte>());
  EXPECT_TRUE(backend_->Await().ok());
  EXPECT_NE(out[0], 1.0f);
}

TEST_F(LateDeviceTest, AnErrorComesOutOfEveryWait) {
  const DeviceBuffer x = Ones();
  device().Fail(absl::InternalError("gone"));
  backend_->Relu(x.As<float>(), kCount);
  EXPECT_EQ(backend_->Await().message(), "gone");
  EXPECT_EQ(backend_->Await().message(), "gone");
}

TEST_F(LateDeviceDeathTest, HostCodeThatFollowsAnAddressCrashes) {
  const DeviceBuffer x = Ones();
  EXPECT_DEATH(static_cast<void>(*const_cast<volatile float*>(x.As<float>().address())), "");
  std::vector<float> host(kCount);
  const DevicePtr<const std::byte> mapped =
      device().Mapped(reinterpret_cast<const std::byte*>(host.data()));
  EXPECT_DEATH(static_cast<void>(*const_cast<volatile std::byte*>(mapped.address())), "");
}

TEST_F(LateDeviceDeathTest, AnOpOnMemoryOfTheHostIsSeen) {
  std::vector<float> host(kCount);
  EXPECT_DEATH(
      {
        backend_->Relu(DevicePtr<float>(host.data()), kCount);
        backend_->Await().IgnoreError();
      },
      "memory of the host");
}

TEST_F(LateDeviceDeathTest, MemoryThatGoesTooEarlyIsSeen) {
  EXPECT_DEATH(
      {
        {
          const DeviceBuffer x = Ones();
          for (int i = 0; i < 10; ++i) backend_->Relu(x.As<float>(), kCount);
        }
        backend_->Await().IgnoreError();
      },
      "was freed");
}

TEST_F(LateDeviceDeathTest, AnOpThatLeavesItsBufferIsSeen) {
  const DeviceBuffer x = Ones();
  EXPECT_DEATH(
      {
        backend_->Relu(x.As<float>() + 1, kCount);
        backend_->Await().IgnoreError();
      },
      "leaves its buffer");
}

TEST_F(LateDeviceDeathTest, HostMemoryThatIsUsedAgainTooEarlyIsSeen) {
  const DeviceBuffer x = Ones();
  std::vector<float> host(kCount);
  EXPECT_DEATH(
      {
        for (int i = 0; i < 10; ++i) {
          device().CopyIn(Lane::kSweep, x.As<std::byte>(), std::as_bytes(std::span(host)));
          host[3] += 1.0f;
        }
        backend_->Await().IgnoreError();
      },
      "used again before it was copied");
  // What ops read where it lies, like layers of a stream.
  const Weight weight = {.data = device().Mapped(reinterpret_cast<std::byte*>(host.data())),
                         .out_features = 1,
                         .in_features = kCount};
  const DeviceBuffer y = *device().Allocate(sizeof(float), nullptr);
  EXPECT_DEATH(
      {
        for (int i = 0; i < 10; ++i) {
          backend_->Linear(
              {.in = x.As<float>(), .rows = 1, .weight = weight, .out = y.As<float>()});
          host[3] += 1.0f;
        }
        backend_->Await().IgnoreError();
      },
      "used again before an operation read it");
}

}  // namespace
}  // namespace longtake
