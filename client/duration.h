// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Lengths of time as people write them: "500ms", "10s", "1.5m", "2h".
#pragma once

#include <cmath>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace longtake {

// Seconds; a unit is required. INVALID_ARGUMENT shows the text.
inline absl::StatusOr<double> ParseDuration(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  const std::string unit(end);
  const double factor = unit == "ms"  ? 1e-3
                        : unit == "s" ? 1
                        : unit == "m" ? 60
                        : unit == "h" ? 3600
                                      : 0;
  if (end == text.c_str() || factor == 0 || !std::isfinite(number) || number < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not a duration such as 500ms, 10s, 1.5m or 2h"));
  }
  return number * factor;
}

}  // namespace longtake
