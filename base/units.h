// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sizes and durations as people write them: "24GiB", "500ms". Pure functions; errors are
// INVALID_ARGUMENT and quote the text.
#pragma once

#include <cstdint>
#include <string>

#include "base/status_macros.h"

namespace longtake {

// A whole number and B, KiB, MiB, GiB, TiB (powers of 1024) or kB, MB, GB, TB (powers of 1000);
// no unit is bytes.
absl::StatusOr<uint64_t> ParseBytes(const std::string& text);
// The largest power of 1024 that leaves a whole number: "1536MiB".
std::string FormatBytes(uint64_t bytes);

// A decimal number and ns, us, ms, s, m, h; never negative. 0 needs no unit.
absl::StatusOr<int64_t> ParseDurationNanos(const std::string& text);
// The largest unit that leaves a whole number: "90s".
std::string FormatDuration(int64_t nanos);

// A whole number in decimal digits, without sign, spaces or unit.
absl::StatusOr<uint64_t> ParseCount(const std::string& text);
// The same; the error also says which numbers are taken.
absl::StatusOr<uint64_t> ParseCountIn(const std::string& text, uint64_t least, uint64_t most);
// A finite number in decimal digits, such as 7, 7.5 or -0.5: no exponent, no leading +, no spaces.
absl::StatusOr<double> ParseDecimal(const std::string& text);

}  // namespace longtake
