// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/checked.h"

#include <gtest/gtest.h>

#include <array>

namespace longtake {
namespace {

constexpr uint64_t kMax = ~uint64_t{0};

TEST(CheckedTest, SumsAndProductsStopAtTheEdge) {
  EXPECT_EQ(CheckedAdd(kMax - 1, 1), kMax);
  EXPECT_EQ(CheckedAdd(kMax, 1), std::nullopt);
  EXPECT_EQ(CheckedMul(kMax / 3, 3), kMax / 3 * 3);
  EXPECT_EQ(CheckedMul(kMax / 3 + 1, 3), std::nullopt);
  EXPECT_EQ(CheckedAlignUp(4097, 4096), 8192);
  EXPECT_EQ(CheckedAlignUp(kMax - 5, 4096), std::nullopt);
}

TEST(CheckedTest, ErrorsNameTheQuantity) {
  EXPECT_EQ(*CheckedProduct({2, 3, 7}, "pages"), 42);
  const auto overflow = CheckedProduct({kMax, 2}, "pages");
  EXPECT_EQ(overflow.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(overflow.status().message().find("pages"), absl::string_view::npos);
  const std::array<int64_t, 2> negative = {4, -1};
  EXPECT_FALSE(ElementCount(negative, "weight").ok());
  const std::array<int64_t, 3> scalar_like = {4, 0, 3};
  EXPECT_EQ(*ElementCount(scalar_like, "weight"), 0);
}

}  // namespace
}  // namespace longtake
