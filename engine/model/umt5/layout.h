// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The tensors of the UMT5 encoder and where each goes in a pack (docs/spec 1.8).
#pragma once

#include <cstddef>

#include "engine/model/component_layout.h"
#include "engine/model/matrix_shape.h"
#include "engine/model/umt5/config.h"

namespace longtake {

// The matrices of one block in use order.
enum Umt5Matrix : size_t {
  kUmt5Q,
  kUmt5K,
  kUmt5V,
  kUmt5Out,
  kUmt5Gate,
  kUmt5Up,
  kUmt5Down,
  kUmt5MatrixCount,
};

// The only embedding that is stored; read row by row.
inline constexpr char kUmt5TokenTable[] = "shared.weight";

MatrixShape Umt5MatrixShape(const Umt5Config& config, Umt5Matrix matrix);

ComponentLayout Umt5Layout(const Umt5Config& config);

}  // namespace longtake
