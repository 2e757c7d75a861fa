// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Numbers that users give and the API calls int64. Pure function.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "base/status_macros.h"
#include "base/units.h"

namespace longtake {

// INVALID_ARGUMENT names the option.
inline absl::StatusOr<int64_t> CountOption(const std::string& option, const std::string& text,
                                           uint64_t least) {
  const auto count = ParseCountIn(text, least, std::numeric_limits<int64_t>::max());
  if (!count.ok()) return Annotate(count.status(), option);
  return static_cast<int64_t>(*count);
}

}  // namespace longtake
