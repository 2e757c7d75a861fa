// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/metrics_page.h"

#include <CivetServer.h>
#include <prometheus/exposer.h>

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/limits.h"

namespace longtake {
namespace {

// A scraper's request has some hundred bytes, a browser's with its cookies some thousand.
constexpr int64_t kPageRequestBytesMax = 8 << 10;

// In pairs of name and value, as the HTTP library takes them.
std::vector<std::string> Options(const std::string& address) {
  return {"listening_ports",    address,
          "num_threads",        std::to_string(MetricsPage::kThreads),
          "connection_queue",   std::to_string(MetricsPage::kQueueMax),
          "request_timeout_ms", std::to_string(kMetricsRequestSeconds * 1000),
          "max_request_size",   std::to_string(kPageRequestBytesMax),
          "enable_keep_alive",  "no"};
}

// Called with the headers of each request. A body would be read to its end after the page was sent,
// for as long as the client likes to send it. 0: go on; negative: close.
int RefuseBody(mg_connection* connection) {
  const mg_request_info* request = mg_get_request_info(connection);
  const bool body =
      request->content_length > 0 || mg_get_header(connection, "Transfer-Encoding") != nullptr;
  if (!body) return 0;
  mg_send_http_error(connection, 413, "%s", "a request for metrics has no body");
  return -1;
}

}  // namespace

MetricsPage::MetricsPage() = default;
MetricsPage::~MetricsPage() = default;

absl::StatusOr<std::unique_ptr<MetricsPage>> MetricsPage::Open(
    const std::string& address, std::vector<std::shared_ptr<prometheus::Collectable>> sources) {
  auto page = std::unique_ptr<MetricsPage>(new MetricsPage);
  page->sources_ = std::move(sources);
  CivetCallbacks callbacks;
  callbacks.begin_request = RefuseBody;
  // The HTTP library throws when it cannot bind.
  try {
    page->exposer_ = std::make_unique<prometheus::Exposer>(Options(address), &callbacks);
    for (const auto& source : page->sources_) page->exposer_->RegisterCollectable(source);
  } catch (const std::exception&) {
    return absl::UnavailableError(
        absl::StrCat("metrics-listen: cannot listen on ", address, "; is the port taken?"));
  }
  return page;
}

int MetricsPage::port() const {
  const std::vector<int> ports = exposer_->GetListeningPorts();
  return ports.empty() ? 0 : ports.front();
}

}  // namespace longtake
