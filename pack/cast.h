// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Element type conversion while packing: published files come as F32, BF16 or F16, packs hold F32
// or BF16. Pure function.
#pragma once

#include <cstddef>
#include <span>

#include "base/dtype.h"

namespace longtake {

// Converts all elements of in; out has room for exactly as many. Narrowing rounds to nearest even.
void CastElements(DType from, std::span<const std::byte> in, DType to, std::span<std::byte> out);

}  // namespace longtake
