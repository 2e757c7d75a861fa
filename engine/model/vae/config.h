// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The shape of a Wan 2.1 causal VAE: vae/config.json of a Diffusers directory (docs/spec 1.4). It
// compresses by 8 in space and by 4 in time, the first frame alone. A plain value; bounded, so that
// no tensor's element count can overflow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status_macros.h"

namespace longtake {

struct VaeConfig {
  int64_t base_dim = 96;
  std::vector<int64_t> dim_mult = {1, 2, 4, 4};  // width of each of the four levels, in base_dim
  int64_t z_dim = 16;
  int64_t num_res_blocks = 2;
  std::vector<float> latents_mean;  // [z_dim], of VAE latents; DiT latents are (u - mean) / std
  std::vector<float> latents_std;   // [z_dim]

  int64_t width(size_t level) const { return base_dim * dim_mult[level]; }

  bool operator==(const VaeConfig&) const = default;
};

inline constexpr int64_t kVaeSpaceFactor = 8;  // pixels per latent, in height and in width
inline constexpr int64_t kVaeTimeFactor = 4;   // frames per latent, after the first

// text is the file's contents, what its name in errors. Missing fields take the published defaults;
// INVALID_ARGUMENT names the first field that is out of bounds or asks for a variant longtake does
// not run (residual blocks, patches, another order of downsampling).
absl::StatusOr<VaeConfig> ParseVaeConfig(std::string_view text, const std::string& what);

}  // namespace longtake
