// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The shape of a Wan 2.1 text-to-video transformer: transformer/config.json of a Diffusers
// directory (docs/spec 1.3). A plain value; every product of its fields that names a tensor's size
// fits 64 bits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status_macros.h"
#include "engine/model/wan/token_grid.h"

namespace longtake {

struct WanConfig {
  int64_t heads = 40;
  int64_t head_dim = 128;
  int64_t ffn_dim = 13824;
  int64_t layers = 40;
  int64_t channels = 16;  // of the latent, in and out
  int64_t text_dim = 4096;
  int64_t freq_dim = 256;       // width of the timestep's sinusoid
  bool cross_attn_norm = true;  // affine LayerNorm before cross-attention
  double eps = 1e-6;

  int64_t width() const { return heads * head_dim; }
  // Values of one token before embedding and after the head: a 1 x 2 x 2 patch.
  int64_t patch_values() const { return channels * kPatchLatents; }

  bool operator==(const WanConfig&) const = default;
};

// text is the file's contents, what its name in errors. Missing fields take the published defaults;
// INVALID_ARGUMENT names the first field that is out of bounds or asks for a variant longtake does
// not run (image conditioning, two experts, another patch).
absl::StatusOr<WanConfig> ParseWanConfig(std::string_view text, const std::string& what);

}  // namespace longtake
