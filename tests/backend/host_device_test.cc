// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/backend/host_device.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <type_traits>

namespace longtake {
namespace {

template <typename P>
concept Followed = requires(P pointer) { *pointer; };
template <typename P>
concept Indexed = requires(P pointer) { pointer[0]; };
static_assert(!Followed<DevicePtr<float>> && !Indexed<DevicePtr<float>>, "only a backend may");
static_assert(!std::is_convertible_v<DevicePtr<float>, float*>);
static_assert(!std::is_convertible_v<float*, DevicePtr<float>>, "host memory is no device's");
static_assert(!std::is_convertible_v<float*, DevicePtr<const float>>);
static_assert(std::is_convertible_v<DevicePtr<float>, DevicePtr<const float>>);
static_assert(!std::is_convertible_v<DevicePtr<const float>, DevicePtr<float>>);

TEST(HostDeviceTest, BytesComeBackAsTheyWent) {
  HostDevice device;
  DeviceBuffer first = *device.Allocate(1000, nullptr);
  const DeviceBuffer second = *device.Allocate(1000, nullptr);
  AlignedBuffer host = *device.AllocatePinned(1000, nullptr);
  for (size_t i = 0; i < host.size(); ++i) host.data()[i] = static_cast<std::byte>(i * 7);
  const std::vector<std::byte> sent(host.span().begin(), host.span().end());
  device.CopyIn(Lane::kCopyIn, first.As<std::byte>(), host.span());
  device.Copy(Lane::kCopyIn, second.As<std::byte>() + 1, first.As<std::byte>(), 999);
  device.Order(Lane::kCopyOut, device.Mark(Lane::kCopyIn));
  std::fill(host.span().begin(), host.span().end(), std::byte{0});
  device.CopyOut(Lane::kCopyOut, host.span(), second.As<std::byte>());
  ASSERT_TRUE(device.Wait(device.Mark(Lane::kCopyOut), 0).ok());
  EXPECT_EQ(host.data()[0], std::byte{0}) << "memory of a device begins as zeros";
  EXPECT_TRUE(std::equal(sent.begin(), sent.end() - 1, host.data() + 1));
}

TEST(HostDeviceTest, FencesCountPerLane) {
  HostDevice device;
  EXPECT_TRUE(device.Passed({})) << "before all";
  const Fence sweep = device.Mark(Lane::kSweep);
  const Fence decode = device.Mark(Lane::kDecode);
  EXPECT_EQ(sweep.ticket, decode.ticket);
  EXPECT_GT(device.Mark(Lane::kSweep).ticket, sweep.ticket);
  EXPECT_TRUE(device.Passed(sweep) && device.Passed(decode));
  EXPECT_DEATH(device.Passed({.lane = Lane::kDecode, .ticket = 2}), "") << "was never made";
}

}  // namespace
}  // namespace longtake
