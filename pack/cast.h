// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Element type conversion while packing: published files come as F32, BF16 or F16, packs hold F32
// or BF16. Pure function.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/dtype.h"

namespace longtake {

// An element that no model can be run with: NaN, infinite, or too large for the type it goes to.
struct UnfitElement {
  size_t index = 0;
  float value = 0.0f;  // as it was read
};

// Converts all elements of in; out has room for exactly as many, and may be in where types are
// equal. Narrowing rounds to nearest even. Gives the first element that is not a finite number in
// out.
std::optional<UnfitElement> CastElements(DType from, std::span<const std::byte> in, DType to,
                                         std::span<std::byte> out);

}  // namespace longtake
