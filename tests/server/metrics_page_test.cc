// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/metrics_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include "tests/server/loopback.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class MetricsPageTest : public ::testing::Test {
 protected:
  // One for all, since its end takes the HTTP library two seconds.
  static void SetUpTestSuite() {
    auto registry = std::make_shared<prometheus::Registry>();
    prometheus::BuildCounter().Name("seen").Register(*registry).Add({});
    page_ = MetricsPage::Open("127.0.0.1:0", {registry}).value();
  }
  static void TearDownTestSuite() { page_.reset(); }

  std::string Scrape() {
    const Fd client = ConnectTo(page_->port());
    Send(client, "GET /metrics HTTP/1.0\r\n\r\n");
    return ReceiveAll(client);
  }

  static inline std::unique_ptr<MetricsPage> page_;
};

TEST_F(MetricsPageTest, ConnectionsThatSayNothingDoNotKeepItFromOthers) {
  for (const int count : {2, 8, 20}) {
    std::vector<Fd> silent;
    for (int i = 0; i < count; ++i) silent.push_back(ConnectTo(page_->port()));
    EXPECT_THAT(Scrape(), HasSubstr("seen 0")) << count;
  }
}

TEST_F(MetricsPageTest, RequestsThatDoNotEndDoNotKeepItFromOthers) {
  for (const std::string rest :
       {"X-Slow: ", "Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1\r\n"}) {
    std::vector<Fd> slow;
    for (int i = 0; i < 20; ++i) {
      slow.push_back(ConnectTo(page_->port()));
      Send(slow.back(), "GET /metrics HTTP/1.1\r\nHost: x\r\n" + rest);
    }
    EXPECT_THAT(Scrape(), HasSubstr("seen 0")) << rest;
  }
}

TEST_F(MetricsPageTest, ARequestWithABodyIsRefusedAtOnce) {
  const Fd client = ConnectTo(page_->port());
  Send(client, "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_THAT(ReceiveAll(client), StartsWith("HTTP/1.1 413"));
}

TEST_F(MetricsPageTest, AConnectionIsClosedAfterItsPage) {
  const Fd client = ConnectTo(page_->port());
  Send(client, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(ReceiveAll(client), HasSubstr("seen 0"));
  EXPECT_TRUE(IsClosed(client));
}

TEST_F(MetricsPageTest, ATakenPortIsRefused) {
  const auto second = MetricsPage::Open("127.0.0.1:" + std::to_string(page_->port()), {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("metrics-listen"));
}

}  // namespace
}  // namespace longtake
