// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Looks for NaN and infinities among many values, at about the speed of memory. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/status_macros.h"

namespace longtake {

// Index of the first value that is NaN or infinite; nothing when there is none.
std::optional<size_t> FirstNotFinite(std::span<const float> values);
std::optional<size_t> FirstNotFiniteBf16(std::span<const uint16_t> values);

// INTERNAL with the reason NOT_FINITE, "what: value 5 of 10 is nan, not a finite number", when a
// model's arithmetic gave a value that no picture can be made of.
absl::Status CheckFinite(std::span<const float> values, const std::string& what);

}  // namespace longtake
