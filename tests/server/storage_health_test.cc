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
  health.Report("transformer", kCorrupt);
  EXPECT_TRUE(health.good());
  health.Report("transformer", kCorrupt);
  EXPECT_FALSE(health.good());
  // Prompts are read from elsewhere.
  health.Report("text", absl::OkStatus());
  EXPECT_FALSE(health.good());
  health.Report("transformer", absl::OkStatus());
  EXPECT_TRUE(health.good());
}

TEST(StorageHealth, ADiskIsBadTheThirdTimeInARow) {
  StorageHealth health;
  for (const absl::Status& status :
       {kUnavailable, kUnavailable, absl::OkStatus(), kUnavailable, kUnavailable}) {
    health.Report("text", status);
    EXPECT_TRUE(health.good());
  }
  health.Report("text", kUnavailable);
  EXPECT_FALSE(health.good());
}

TEST(StorageHealth, ADeviceThatWasLostStaysLost) {
  StorageHealth health;
  health.Report("text", Error(Reason::kDeviceLost, "gone"));
  EXPECT_FALSE(health.good());
  health.Report("text", absl::OkStatus());
  EXPECT_FALSE(health.good());
}

TEST(StorageHealth, OtherErrorsSayNothingAboutFiles) {
  StorageHealth health;
  for (int i = 0; i < 9; ++i) {
    health.Report("transformer", absl::InternalError("a value is not finite"));
    health.Report("transformer", Error(Reason::kKvFileCorrupt, "K/V"));
  }
  EXPECT_TRUE(health.good());
}

}  // namespace
}  // namespace longtake
