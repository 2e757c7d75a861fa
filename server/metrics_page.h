// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// /metrics over plain HTTP. Own threads (two, of the HTTP library); serves until destroyed.
#pragma once

#include <prometheus/collectable.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status_macros.h"

namespace prometheus {
class Exposer;
}

namespace longtake {

class MetricsPage {
 public:
  // address is host:port, port 0 takes a free one. UNAVAILABLE when the port cannot be opened.
  static absl::StatusOr<std::unique_ptr<MetricsPage>> Open(
      const std::string& address, std::vector<std::shared_ptr<prometheus::Collectable>> sources);
  ~MetricsPage();

  int port() const;

 private:
  MetricsPage();

  std::vector<std::shared_ptr<prometheus::Collectable>> sources_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace longtake
