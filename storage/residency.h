// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Which layers stay in memory. Pure function.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace longtake {

// As many layers as fit in pinned_bytes_max, spread evenly among the streamed ones, so that every
// streamed layer has the same compute to hide its read behind (a contiguous run of residents costs
// up to a third of the sweep when reading and computing take alike long).
std::vector<bool> PlanPinnedLayers(std::span<const uint64_t> layer_bytes,
                                   uint64_t pinned_bytes_max);

}  // namespace longtake
