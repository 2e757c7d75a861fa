// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The tensors of the Wan transformer and where each goes in a pack (docs/spec 1.7).
#pragma once

#include <cstddef>
#include <string>

#include "engine/model/component_layout.h"
#include "engine/model/matrix_shape.h"
#include "engine/model/wan/config.h"

namespace longtake {

// The matrices of one block in use order: text keys first, so that a pass that only fills caches
// has what it needs from the last block before the rest of it arrives.
enum WanMatrix : size_t {
  kWanTextK,
  kWanTextV,
  kWanSelfK,
  kWanSelfV,
  kWanSelfQ,
  kWanSelfOut,
  kWanTextQ,
  kWanTextOut,
  kWanFfnUp,
  kWanFfnDown,
  kWanMatrixCount,
};

// As published; block is "blocks.N.".
std::string WanMatrixName(const std::string& block, WanMatrix matrix);
MatrixShape WanMatrixShape(const WanConfig& config, WanMatrix matrix);

ComponentLayout WanLayout(const WanConfig& config);

}  // namespace longtake
