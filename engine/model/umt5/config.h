// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The shape of a UMT5 encoder: text_encoder/config.json of a Transformers directory
// (docs/spec 1.5). A plain value; every product of its fields that names a tensor's size fits 64
// bits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status_macros.h"

namespace longtake {

struct Umt5Config {
  int64_t vocab_size = 256384;
  int64_t d_model = 4096;
  int64_t d_kv = 64;
  int64_t d_ff = 10240;
  int64_t layers = 24;
  int64_t heads = 64;
  double eps = 1e-6;

  // Width of q, k and v.
  int64_t inner() const { return heads * d_kv; }

  bool operator==(const Umt5Config&) const = default;
};

// text is the file's contents, what its name in errors. Missing fields take the published values;
// INVALID_ARGUMENT names the first field that is out of bounds or asks for another architecture.
absl::StatusOr<Umt5Config> ParseUmt5Config(std::string_view text, const std::string& what);

}  // namespace longtake
