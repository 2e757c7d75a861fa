// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The size of a layer's matrix as an op sees it, [out_features, in_features].
#pragma once

#include <cstdint>

namespace longtake {

struct MatrixShape {
  int64_t out_features = 0;
  int64_t in_features = 0;
};

}  // namespace longtake
