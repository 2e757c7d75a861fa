// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// /metrics over plain HTTP. Own threads (of the HTTP library; they sleep); serves until destroyed.
//
// A connection keeps one of the threads until its request is complete or kMetricsRequestSeconds
// (limits.h) are over, so that a few that say nothing cannot keep the page from others.
#pragma once

#include <prometheus/collectable.h>

#include <cstdint>
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
  // The most descriptors that its connections take at once: one for each thread of the HTTP
  // library, for each place of its queue, and one on the way there.
  static constexpr int64_t kThreads = 16;
  static constexpr int64_t kQueueMax = 4;
  static constexpr int64_t kDescriptorsMax = kThreads + kQueueMax + 1;

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
