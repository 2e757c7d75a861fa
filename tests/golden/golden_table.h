// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The golden table: what every comparison came to. Rows of one name keep their largest error; each
// test program prints its part at its end (`make golden` collects them).
#pragma once

#include <span>
#include <string>

namespace longtake {

// Fails when |actual - expected| / |expected| (L2) is not below the limit.
void ExpectClose(const std::string& row, std::span<const float> actual,
                 std::span<const float> expected, double limit);
// The same for an error that was computed elsewhere.
void ExpectError(const std::string& row, double error, double limit);

}  // namespace longtake
