// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/finite.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "base/error_reason.h"

namespace longtake {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(FiniteTest, TheFirstOfManyIsFoundWhereverItIs) {
  std::vector<float> values(10'000, std::numeric_limits<float>::max());
  values[7] = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(FirstNotFinite(values), std::nullopt);
  for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
    for (const size_t at : {size_t{0}, size_t{4095}, size_t{4096}, size_t{9999}}) {
      std::vector<float> spoilt = values;
      spoilt[at] = bad;
      spoilt.back() = kNan;
      EXPECT_EQ(FirstNotFinite(spoilt), at);
    }
  }
  EXPECT_EQ(FirstNotFinite({}), std::nullopt);
}

TEST(FiniteTest, Bf16) {
  std::vector<uint16_t> values(5000, 0x7f7f);  // the largest there is
  EXPECT_EQ(FirstNotFiniteBf16(values), std::nullopt);
  for (const uint16_t bad : {0x7f80, 0xff80, 0x7fc0, 0x7f81, 0xffff}) {
    values[4999] = bad;
    EXPECT_EQ(FirstNotFiniteBf16(values), size_t{4999});
  }
}

TEST(FiniteTest, TheErrorHasAReasonOfItsOwn) {
  const std::vector<float> values = {1.0f, kNan, kInfinity};
  const absl::Status status = CheckFinite(values, "pixels of chunk 3");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(ReasonOf(status)->reason, Reason::kNotFinite);
  EXPECT_EQ(status.message(), "pixels of chunk 3: value 1 of 3 is nan, not a finite number");
  EXPECT_TRUE(CheckFinite(std::span(values).first(1), "pixels").ok());
}

}  // namespace
}  // namespace longtake
