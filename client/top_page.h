// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What `longtake top` shows: a pure function of two looks at the metrics.
#pragma once

#include <string>

#include "client/metrics_scrape.h"

namespace longtake {

// Several lines: the model, sessions, sweeps, disk, memory. Rates are over `seconds`, the time
// between the looks.
std::string RenderTop(const MetricValues& before, const MetricValues& now, double seconds);

}  // namespace longtake
