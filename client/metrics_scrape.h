// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The numbers of a /metrics page (Prometheus text format, as longtaked writes it).
#pragma once

#include <map>
#include <string>

#include "base/status_macros.h"

namespace longtake {

// "name{label=\"value\"}" as on the page, without spaces, to its value.
class MetricValues {
 public:
  // Lines that are no sample are passed over.
  static MetricValues Parse(const std::string& page);

  // 0 when it is not there. series: "longtake_sessions{state=\"running\"}".
  double Get(const std::string& series) const;
  // Of all series of that name, whatever their labels.
  double Sum(const std::string& name) const;
  // Of those whose labels hold `label`, such as kind="wait".
  double Sum(const std::string& name, const std::string& label) const;
  // A label's value in the only series of that name; "" when there is none.
  std::string Label(const std::string& name, const std::string& label) const;
  bool empty() const { return values_.empty(); }

 private:
  std::map<std::string, double> values_;
};

// GET /metrics. UNAVAILABLE names the address; waits at most some seconds.
absl::StatusOr<MetricValues> ScrapeMetrics(const std::string& address);

}  // namespace longtake
