// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/cast.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <span>

namespace longtake {
namespace {

TEST(CastTest, ConvertsBothWays) {
  const float floats[] = {1.0f, -2.5f, 65504.0f};
  uint16_t halves[3];
  CastElements(DType::kF32, std::as_bytes(std::span(floats)), DType::kBf16,
               std::as_writable_bytes(std::span(halves)));
  EXPECT_EQ(halves[0], 0x3f80);
  EXPECT_EQ(halves[1], 0xc020);
  const uint16_t f16[] = {0x3c00, 0xc100, 0x7bff};
  float back[3];
  CastElements(DType::kF16, std::as_bytes(std::span(f16)), DType::kF32,
               std::as_writable_bytes(std::span(back)));
  EXPECT_EQ(back[0], 1.0f);
  EXPECT_EQ(back[1], -2.5f);
  EXPECT_EQ(back[2], 65504.0f);
}

}  // namespace
}  // namespace longtake
