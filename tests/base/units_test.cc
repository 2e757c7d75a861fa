// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <gtest/gtest.h>

namespace longtake {
namespace {

TEST(Units, SizesAreReadAndWritten) {
  EXPECT_EQ(*ParseBytes("0"), 0u);
  EXPECT_EQ(*ParseBytes("4096"), 4096u);
  EXPECT_EQ(*ParseBytes("24GiB"), uint64_t{24} << 30);
  EXPECT_EQ(*ParseBytes("3kB"), 3000u);
  EXPECT_EQ(FormatBytes(uint64_t{24} << 30), "24GiB");
  EXPECT_EQ(FormatBytes(1536 << 10), "1536KiB");
  EXPECT_EQ(FormatBytes(1000), "1000B");
  for (const char* text : {"1B", "7KiB", "1025MiB", "3TiB"}) {
    EXPECT_EQ(FormatBytes(*ParseBytes(text)), text);
  }
}

TEST(Units, WrongSizesAreRefused) {
  for (const char* text : {"", "GiB", "-1", "1.5GiB", "1 GiB", "1gib", "1GiBs", "0x10",
                           "18446744073709551616", "99999999999TiB"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseBytes(text).status())) << text;
  }
}

TEST(Units, DurationsAreReadAndWritten) {
  EXPECT_EQ(*ParseDurationNanos("0"), 0);
  EXPECT_EQ(*ParseDurationNanos("500ms"), 500'000'000);
  EXPECT_EQ(*ParseDurationNanos("1.5s"), 1'500'000'000);
  EXPECT_EQ(*ParseDurationNanos("2h"), int64_t{7200} * 1'000'000'000);
  EXPECT_EQ(FormatDuration(90'000'000'000), "90s");
  EXPECT_EQ(FormatDuration(60'000'000'000), "1m");
  EXPECT_EQ(FormatDuration(0), "0s");
  EXPECT_EQ(FormatDuration(1), "1ns");
}

TEST(Units, WrongDurationsAreRefused) {
  for (const char* text : {"", "5", "s", "-1s", "-0s", "-0", "+1s", " 1s", "1s ", "0x1s", "1 s",
                           "1d", "nan", "infs", "1e3s", "999999999h"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseDurationNanos(text).status())) << text;
  }
}

TEST(Units, CountsAreDecimalDigitsInARange) {
  EXPECT_EQ(*ParseCount("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(*ParseCountIn("010", 1, 10), 10u);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "1\n", "0x1", "1e3", "1.0", "1s", "one",
                           "18446744073709551616"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseCount(text).status())) << text;
    EXPECT_TRUE(absl::IsInvalidArgument(ParseCountIn(text, 0, UINT64_MAX).status())) << text;
  }
  EXPECT_EQ(ParseCountIn("0", 1, 10).status().message(),
            "\"0\" is not a whole number from 1 to 10");
  EXPECT_TRUE(absl::IsInvalidArgument(ParseCountIn("11", 1, 10).status()));
}

TEST(Units, DecimalsAreFiniteAndWhole) {
  EXPECT_EQ(*ParseDecimal("7.5"), 7.5);
  EXPECT_EQ(*ParseDecimal("-0.5"), -0.5);
  EXPECT_EQ(*ParseDecimal("1000"), 1000.0);
  for (const char* text :
       {"", "inf", "-inf", "nan", "1e3", "0x10", "+1", " 1", "1 ", "1.5.2", "1,5", "7s"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseDecimal(text).status())) << text;
  }
}

}  // namespace
}  // namespace longtake
