// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/random_id.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace longtake {
namespace {

TEST(RandomIdTest, IsOfThirtyTwoHexadecimalDigitsThatAllVary) {
  std::set<std::string> ids;
  std::set<std::pair<size_t, char>> digits;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = RandomId();
    ASSERT_THAT(id, ::testing::MatchesRegex("[0-9a-f]+"));
    ASSERT_EQ(id.size(), 32u);
    ids.insert(id);
    for (size_t at = 0; at < id.size(); ++at) digits.insert({at, id[at]});
  }
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_EQ(digits.size(), 32u * 16u) << "every digit at every place";
}

}  // namespace
}  // namespace longtake
