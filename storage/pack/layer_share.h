// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Layers over several paths: layer i lies on path i mod K, in a file of the pack's name that is the
// pack's twin, with holes where the layers of other paths would be. A plain value.
#pragma once

#include <cstddef>

namespace longtake {

struct LayerShare {
  size_t path = 0;
  size_t paths = 1;

  bool Has(size_t layer) const { return layer % paths == path; }
};

}  // namespace longtake
