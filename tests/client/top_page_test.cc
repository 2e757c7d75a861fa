// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/top_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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
                   "longtake_component_seconds_total{component=\"transformer\"} ",
                   compute + wait,
                   "\n"
                   "longtake_storage_read_bytes_total{stack=\"transformer\"} ",
                   read_bytes,
                   "\n"
                   "longtake_storage_errors_total{kind=\"checksum\"} 5\n"
                   "longtake_memory_budget_bytes 3000000000\n"
                   "longtake_memory_used_bytes{pool=\"kv\"} 500000000\n"
                   "longtake_memory_limit_bytes{pool=\"kv\"} 1000000000\n"));
}

TEST(TopPageTest, RatesAreOverTheTimeBetweenTwoScrapes) {
  const std::string page = RenderTop(Look(10, 1, 1, 1e9), Look(14, 4, 2, 9e9), 2.0);
  EXPECT_THAT(page, HasSubstr("sessions  3   2 running   1 blocked"));
  EXPECT_THAT(page, HasSubstr("sweeps    2.00/s   1.000 s each: 75 % computing, 25 % waiting"));
  EXPECT_THAT(page, HasSubstr("3.0 items"));
  EXPECT_THAT(page, HasSubstr("disk      4.00 GB/s"));
  EXPECT_THAT(page, HasSubstr("5 wrong checksums"));
  EXPECT_THAT(page, HasSubstr("3.00 GB budget"));
  EXPECT_THAT(page, HasSubstr("kv                 [##########          ] 500.0 MB of 1.00 GB"));
}

// A sweep of a large model outlasts many looks.
TEST(TopPageTest, ASweepUnderWayShowsWhereItsTimeGoes) {
  const std::string page = RenderTop(Look(10, 1, 1, 1e9), Look(10, 1.25, 1.75, 2e9), 1.0);
  EXPECT_THAT(page, HasSubstr("sweeps    one under way: 25 % computing, 75 % waiting"));
  EXPECT_THAT(page, HasSubstr("disk      1.00 GB/s"));
  EXPECT_THAT(page, Not(HasSubstr("kv file")));
}

TEST(TopPageTest, TheFileOfKeysAndValuesHasALine) {
  const auto look = [](double read) {
    return MetricValues::Parse(absl::StrCat(
        "longtake_kv_file_limit_bytes 4000000000\nlongtake_kv_file_used_bytes 1000000000\n"
        "longtake_kv_file_bytes_total{direction=\"read\"} ",
        read, "\nlongtake_layer_seconds_total{layer=\"0\",kind=\"kv\"} ", read / 1e9, "\n"));
  };
  const std::string page = RenderTop(look(1e9), look(3e9), 1.0);
  EXPECT_THAT(page, HasSubstr("kv file   1.00 GB of 4.00 GB   2.00 GB/s read   0.0 MB/s written"));
  EXPECT_THAT(page, HasSubstr("100 % K/V of the file"));
}

TEST(TopPageTest, SeveralStagesHaveALineEach) {
  const auto look = [](double busy, double rows) {
    const auto series = [](int stage, const char* kind, double seconds) {
      return absl::StrCat("longtake_stage_seconds_total{stage=\"", stage, "\",kind=\"", kind,
                          "\"} ", seconds, "\n");
    };
    return MetricValues::Parse(absl::StrCat(
        "longtake_stages 2\n", series(0, "busy", busy), series(0, "layers", 0),
        series(0, "rows", rows), series(1, "busy", rows / 2), series(1, "layers", rows / 2),
        series(1, "rows", busy), series(10, "busy", 99)));
  };
  const std::string page = RenderTop(look(1, 4), look(2, 7), 1.0);
  EXPECT_THAT(page, HasSubstr("stage 0   25 % computing, 0 % waiting for layers, 75 % for rows\n"));
  EXPECT_THAT(page, HasSubstr("stage 1   38 % computing, 38 % waiting for layers, 25 % for rows"));
  EXPECT_THAT(RenderTop(Look(10, 1, 1, 1e9), Look(14, 4, 2, 9e9), 2.0), Not(HasSubstr("stage 0")));
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
