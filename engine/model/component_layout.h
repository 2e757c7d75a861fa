// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Which tensors a published component must hold, their shapes, and where each goes in a pack:
// small ones stay resident, matrices travel with their layer in the order they are used, large
// embeddings are read row by row. Models state it, longtake-pack obeys it, and a directory that
// disagrees is refused by name and shape.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longtake {

struct TensorSpec {
  std::string name;            // as published (Diffusers / Transformers)
  std::vector<int64_t> shape;  // exact
  bool keep_f32 = false;       // never narrowed when packing (norm gains, biases, modulation)
};

// A matrix of a layer may be packed as I8; what a step of each of its rows is worth is then a
// resident tensor of F32, [out], under this name.
inline std::string ScaleTensorName(const std::string& matrix) { return matrix + ".scale"; }

// A second name under which exports store a tensor: beside the first or in its place.
struct TensorAlias {
  std::string name;
  std::string of;  // a TensorSpec's name
};

struct ComponentLayout {
  std::string component;                        // "transformer", "text_encoder", "vae"
  std::vector<TensorSpec> resident;             // loaded once
  std::vector<TensorSpec> row_tables;           // [rows, width], read row by row, never resident
  std::vector<std::vector<TensorSpec>> layers;  // in execution order, tensors in use order
  std::vector<TensorAlias> aliases;             // at most one of each tensor
  std::vector<std::string> ignored_prefixes;    // of published tensors that longtake does not use
};

}  // namespace longtake
