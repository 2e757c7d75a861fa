// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Which layers, and parts of layers, stay in memory. Pure function.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace longtake {

// As many units as fit in kept_bytes_max, spread evenly among the streamed ones, so that every
// streamed unit has the same compute to hide its read behind. Were the units that stay a contiguous
// run, a sweep would take up to a third longer where reading and computing take equally long.
std::vector<bool> PlanKept(std::span<const uint64_t> unit_bytes, uint64_t kept_bytes_max);

}  // namespace longtake
