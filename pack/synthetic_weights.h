// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Models without weight files, for tests and benchmarks: every weight is a pure function of (seed,
// tensor name, shape), of a size that keeps activations near 1, the same here and in
// tools/reference/weights.py. tests/golden/README.md is the contract.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "base/worker_pool.h"
#include "engine/model/component_layout.h"

namespace longtake {

struct SyntheticRule {
  uint64_t seed = 0;
  int64_t d_kv = 64;  // the text encoder's; others ignore it
};

// FNV-1a 64 of the bytes: names a stream of normals.
uint64_t Fnv1a64(const std::string& text);

// A weight tensor, row-major.
std::vector<float> SyntheticTensor(const SyntheticRule& rule, const std::string& name,
                                   std::span<const int64_t> shape);
// Its values first, first + 1, ...
void SyntheticValues(const SyntheticRule& rule, const std::string& name,
                     std::span<const int64_t> shape, uint64_t first, std::span<float> out);

struct SyntheticComponent {
  ComponentLayout layout;
  std::string config_json;
  SyntheticRule rule;
  DType dtype = DType::kF32;                    // of all tensors, kF32 or kBf16
  std::string file_name = "model.safetensors";  // as the libraries that read it expect
};

// Writes a component as it is published: config.json and safetensors of its tensors, one tensor's
// piece in memory at a time. Pieces are computed on the workers.
absl::Status WriteSyntheticComponent(FileSystem& files, const std::string& directory,
                                     const SyntheticComponent& component, WorkerPool& workers);

}  // namespace longtake
