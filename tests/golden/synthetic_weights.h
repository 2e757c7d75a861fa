// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Models without weight files: every weight is a pure function of (seed, tensor name, shape), the
// same here and in tools/reference/weights.py. tests/golden/README.md is the contract.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
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

struct SyntheticComponent {
  ComponentLayout layout;
  std::string config_json;
  SyntheticRule rule;
};

// Writes a component as it is published: config.json and F32 safetensors of its tensors.
absl::Status WriteSyntheticComponent(FileSystem& files, const std::string& directory,
                                     const SyntheticComponent& component);

}  // namespace longtake
