// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/core_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace longtake {
namespace {

using ::testing::HasSubstr;

TEST(CoreSetTest, ReadsNumbersAndRangesAndWritesThemInOrder) {
  for (const auto& [text, written] : {std::pair("0", "0"),
                                      {"0-3", "0-3"},
                                      {"8+0-3", "0-3+8"},
                                      {"0+1+2+5", "0-2+5"},
                                      {"7-7", "7"},
                                      {"1023", "1023"}}) {
    const auto cores = CoreSet::Parse(text);
    ASSERT_TRUE(cores.ok()) << cores.status();
    EXPECT_EQ(cores->ToText(), written);
    EXPECT_EQ(*CoreSet::Parse(cores->ToText()), *cores);
  }
  const CoreSet cores = *CoreSet::Parse("8+0-3");
  EXPECT_EQ(cores.count(), 5);
  EXPECT_TRUE(cores.Has(3) && cores.Has(8));
  EXPECT_FALSE(cores.Has(4));
}

TEST(CoreSetTest, WhatIsNoCoreIsQuoted) {
  for (const auto& [text, part] : {std::pair("", "\"\""),
                                   {"a", "\"a\""},
                                   {"0-", "\"0-\""},
                                   {"-1", "\"-1\""},
                                   {"3-1", "\"3-1\""},
                                   {"0++2", "\"\""},
                                   {"0,1", "\"0,1\""},
                                   {"0-1-2", "\"0-1-2\""},
                                   {" 1", "\" 1\""},
                                   {"0-3+2", "\"2\": core 2 twice"},
                                   {"1024", "\"1024\": cores are below 1024"},
                                   {"0-99999999999999999999", "no core"}}) {
    const auto cores = CoreSet::Parse(text);
    EXPECT_EQ(cores.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(cores.status().message()), HasSubstr(part));
  }
}

TEST(CoreSetTest, Overlaps) {
  const CoreSet low = *CoreSet::Parse("0-3");
  EXPECT_TRUE(low.Overlaps(*CoreSet::Parse("3-5")));
  EXPECT_TRUE(CoreSet::Parse("3-5")->Overlaps(low));
  EXPECT_FALSE(low.Overlaps(*CoreSet::Parse("4+5")));
}

TEST(CoreSetTest, AThreadStaysWhereItIsTold) {
  const CoreSet allowed = CoreSet::Allowed();
  EXPECT_TRUE(allowed.CheckAllowed().ok());
  int core = 0;
  while (!allowed.Has(core)) ++core;
  const CoreSet one = *CoreSet::Parse(std::to_string(core));
  std::thread([&] {
    EXPECT_TRUE(one.StayHere());
    EXPECT_EQ(CoreSet::Allowed(), one);
  }).join();
  EXPECT_EQ(CoreSet::Allowed(), allowed) << "nobody else was moved";
  const CoreSet none = *CoreSet::Parse("1023");
  if (allowed.Has(1023)) GTEST_SKIP() << "a machine with all of them";
  EXPECT_FALSE(none.StayHere());
  EXPECT_EQ(none.CheckAllowed().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(none.CheckAllowed().message()),
              HasSubstr("core 1023 is none of this process; it has " + allowed.ToText()));
}

}  // namespace
}  // namespace longtake
