// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/limits.h"

#include <gtest/gtest.h>

#include <iterator>

#include "tests/server/docs_table.h"

namespace longtake {
namespace {

TEST(Limits, PageAndCodeAgree) {
  const auto rows = DocsRows("limits.md");
  ASSERT_EQ(rows.size(), std::size(kLimits));
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i][0], kLimits[i].name);
    EXPECT_EQ(rows[i][1], std::to_string(kLimits[i].value)) << kLimits[i].name;
  }
}

}  // namespace
}  // namespace longtake
