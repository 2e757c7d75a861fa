// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/storage_health.h"

#include <gtest/gtest.h>

#include "base/error_reason.h"

namespace longtake {
namespace {

const absl::Status kCorrupt = absl::DataLossError("CRC32C differs");
const absl::Status kUnavailable = absl::UnavailableError("EIO");

TEST(StorageHealth, ADamagedPackIsBadTheSecondTime) {
  StorageHealth health;
  health.Report(SweepStack::kTransformer, kCorrupt);
  EXPECT_TRUE(health.good());
  health.Report(SweepStack::kTransformer, kCorrupt);
  EXPECT_FALSE(health.good());
  // Prompts are read from elsewhere.
  health.Report(SweepStack::kText, absl::OkStatus());
  EXPECT_FALSE(health.good());
  health.Report(SweepStack::kTransformer, absl::OkStatus());
  EXPECT_TRUE(health.good());
}

TEST(StorageHealth, ADiskIsBadTheThirdTimeInARow) {
  StorageHealth health;
  for (const absl::Status& status :
       {kUnavailable, kUnavailable, absl::OkStatus(), kUnavailable, kUnavailable}) {
    health.Report(SweepStack::kText, status);
    EXPECT_TRUE(health.good());
  }
  health.Report(SweepStack::kText, kUnavailable);
  EXPECT_FALSE(health.good());
}

TEST(StorageHealth, OtherErrorsSayNothingAboutFiles) {
  StorageHealth health;
  for (int i = 0; i < 9; ++i) {
    health.Report(SweepStack::kTransformer, absl::InternalError("a value is not finite"));
    health.Report(SweepStack::kTransformer, Error(Reason::kKvFileCorrupt, "K/V"));
  }
  EXPECT_TRUE(health.good());
}

}  // namespace
}  // namespace longtake
