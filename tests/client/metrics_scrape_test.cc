// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/metrics_scrape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace longtake {
namespace {

using ::testing::HasSubstr;

constexpr char kPage[] =
    "# HELP longtake_build_info Always 1\n"
    "# TYPE longtake_build_info gauge\n"
    "longtake_build_info{version=\"0.1.0\",model=\"shapes\"} 1\n"
    "longtake_reads{stack=\"text\"} 3\n"
    "longtake_reads{stack=\"transformer\"} 4.5e3\n"
    "longtake_reads_total{stack=\"text\"} 100\n"
    "longtake_single 7\n"
    "\n"
    "what is this\n";

TEST(MetricValuesTest, FindsSeriesAndSums) {
  const MetricValues values = MetricValues::Parse(kPage);
  EXPECT_EQ(values.Get("longtake_reads{stack=\"text\"}"), 3);
  EXPECT_EQ(values.Get("longtake_reads{stack=\"none\"}"), 0);
  EXPECT_EQ(values.Sum("longtake_single"), 7);
  // Not longtake_reads_total, whose name begins alike.
  EXPECT_EQ(values.Sum("longtake_reads"), 4503);
  EXPECT_EQ(values.Sum("longtake_reads", "stack=\"transformer\""), 4500);
}

TEST(MetricValuesTest, FindsLabels) {
  const MetricValues values = MetricValues::Parse(kPage);
  EXPECT_EQ(values.Label("longtake_build_info", "version"), "0.1.0");
  EXPECT_EQ(values.Label("longtake_build_info", "model"), "shapes");
  EXPECT_EQ(values.Label("longtake_build_info", "none"), "");
  EXPECT_EQ(values.Label("longtake_single", "version"), "");
  EXPECT_EQ(MetricValues::Parse("").Label("longtake_build_info", "version"), "");
}

TEST(ScrapeMetricsTest, SaysWhichAddressAndOption) {
  for (const char* address : {"127.0.0.1:1", "127.0.0.1", "no such host:1"}) {
    const auto values = ScrapeMetrics(address);
    EXPECT_EQ(values.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(values.status().message()), HasSubstr(address));
    EXPECT_THAT(std::string(values.status().message()), HasSubstr("--metrics-listen"));
  }
}

}  // namespace
}  // namespace longtake
