// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/metrics_page.h"

#include <prometheus/exposer.h>

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {

MetricsPage::MetricsPage() = default;
MetricsPage::~MetricsPage() = default;

absl::StatusOr<std::unique_ptr<MetricsPage>> MetricsPage::Open(
    const std::string& address, std::vector<std::shared_ptr<prometheus::Collectable>> sources) {
  auto page = std::unique_ptr<MetricsPage>(new MetricsPage);
  page->sources_ = std::move(sources);
  // The HTTP library throws when it cannot bind.
  try {
    page->exposer_ = std::make_unique<prometheus::Exposer>(address, 2);
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
