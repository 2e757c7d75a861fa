// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Where the rows of one layer of a frame lie, in pages or in an image of the file: a backend stores
// them there (Backend::StoreRows), and nobody else needs to know which it is. A plain value.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/kv/kv_pool.h"

namespace longtake {

struct KvRows {
  std::vector<RowPiece> k;
  std::vector<RowPiece> v;

  // Rounds and stores a layer: keys and values are [layout.rows, layout.width] fp32.
  void Store(Backend& backend, const KvLayout& layout, DevicePtr<const float> keys,
             DevicePtr<const float> values) const {
    backend.StoreRows({.in = keys, .width = layout.width, .dtype = layout.dtype, .out = k});
    backend.StoreRows({.in = values, .width = layout.width, .dtype = layout.dtype, .out = v});
  }
};

}  // namespace longtake
