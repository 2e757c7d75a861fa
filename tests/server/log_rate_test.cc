// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/log_rate.h"

#include <gtest/gtest.h>

namespace longtake {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

int AdmittedOf(LogRate& rate, const std::string& event, int lines, int64_t now_nanos) {
  int admitted = 0;
  for (int i = 0; i < lines; ++i) admitted += rate.Admit(event, now_nanos) ? 1 : 0;
  return admitted;
}

TEST(LogRate, EachEventHasItsOwnLimit) {
  LogRate rate;
  EXPECT_EQ(AdmittedOf(rate, "opened", 500, 7), 20);
  EXPECT_EQ(AdmittedOf(rate, "closed", 20, 7), 20);
  EXPECT_EQ(rate.left_out_lines(), 480u);
}

TEST(LogRate, WhatWasLeftOutIsToldOnceWhenTheSecondIsOver) {
  LogRate rate;
  AdmittedOf(rate, "opened", 23, 0);
  AdmittedOf(rate, "closed", 20, 0);
  EXPECT_TRUE(rate.TakeLeftOut(kSecond - 1).empty());
  const std::vector<LogRate::LeftOut> told = rate.TakeLeftOut(kSecond);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].event, "opened");
  EXPECT_EQ(told[0].lines, 3);
  EXPECT_TRUE(rate.TakeLeftOut(2 * kSecond).empty());
  EXPECT_EQ(AdmittedOf(rate, "opened", 21, 2 * kSecond), 20);
}

}  // namespace
}  // namespace longtake
