// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/golden/golden_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "tests/golden/fixture.h"

namespace longtake {
namespace {

struct Row {
  double error = 0.0;
  double limit = 0.0;
  int comparisons = 0;
};

std::map<std::string, Row>& Rows() {
  static std::map<std::string, Row> rows;
  return rows;
}

class PrintTable : public testing::Environment {
 public:
  void TearDown() override {
    for (const auto& [name, row] : Rows()) {
      std::printf("golden  %-44s %8.1e < %.1e  (%d)\n", name.c_str(), row.error, row.limit,
                  row.comparisons);
    }
  }
};

// GoogleTest takes it over.
const testing::Environment* const kPrintTable = testing::AddGlobalTestEnvironment(new PrintTable);

}  // namespace

void ExpectError(const std::string& row, double error, double limit) {
  EXPECT_LT(error, limit) << row;
  Row& kept = Rows()[row];
  kept.error = std::max(kept.error, error);
  kept.limit = limit;
  ++kept.comparisons;
}

void ExpectClose(const std::string& row, std::span<const float> actual,
                 std::span<const float> expected, double limit) {
  ExpectError(row, RelativeError(actual, expected), limit);
}

}  // namespace longtake
