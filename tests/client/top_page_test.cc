// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/top_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

MetricValues Look(int sweeps, double compute, double wait, double read_bytes) {
  return MetricValues::Parse(
      absl::StrCat("longtake_build_info{version=\"1\",model=\"m\"} 1\n"
                   "longtake_sessions{state=\"running\"} 2\n"
                   "longtake_sessions{state=\"blocked\"} 1\n"
                   "longtake_weight_sweeps_total{stack=\"text\"} 99\n"
                   "longtake_weight_sweeps_total{stack=\"transformer\"} ",
                   sweeps,
                   "\n"
                   "longtake_sweep_items_total ",
                   3 * sweeps,
                   "\n"
                   "longtake_layer_seconds_total{layer=\"0\",kind=\"compute\"} ",
                   compute,
                   "\n"
                   "longtake_layer_seconds_total{layer=\"1\",kind=\"wait\"} ",
                   wait,
                   "\n"
                   "longtake_storage_read_bytes_total{stack=\"transformer\"} ",
                   read_bytes,
                   "\n"
                   "longtake_storage_errors_total{kind=\"checksum\"} 5\n"
                   "longtake_memory_budget_bytes 3000000000\n"
                   "longtake_memory_used_bytes{pool=\"kv\"} 500000000\n"
                   "longtake_memory_limit_bytes{pool=\"kv\"} 1000000000\n"));
}

TEST(TopPageTest, RatesAreOverTheTimeBetweenTheLooks) {
  const std::string page = RenderTop(Look(10, 1, 1, 1e9), Look(14, 4, 2, 9e9), 2.0);
  EXPECT_THAT(page, HasSubstr("sessions  3   2 running   1 blocked"));
  EXPECT_THAT(page, HasSubstr("sweeps    2.00/s   1.000 s each: 75 % computing, 25 % waiting"));
  EXPECT_THAT(page, HasSubstr("3.0 items"));
  EXPECT_THAT(page, HasSubstr("disk      4.00 GB/s"));
  EXPECT_THAT(page, HasSubstr("5 wrong checksums"));
  EXPECT_THAT(page, HasSubstr("3.00 GB budget"));
  EXPECT_THAT(page, HasSubstr("kv                 [##########          ] 500.0 MB of 1.00 GB"));
}

TEST(TopPageTest, AnIdleServerAndARestartedOneHaveNoRates) {
  EXPECT_THAT(RenderTop(Look(10, 1, 1, 1e9), Look(10, 1, 1, 1e9), 1.0),
              HasSubstr("sweeps    none"));
  EXPECT_THAT(RenderTop(Look(10, 1, 1, 1e9), Look(0, 0, 0, 0), 1.0),
              HasSubstr("disk      0.0 MB/s"));
  EXPECT_THAT(RenderTop({}, {}, 0.0), HasSubstr("sessions  0"));
}

}  // namespace
}  // namespace longtake
