// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Pixels to latents, streamed (docs/spec 6.4): the first frame of a stream gives one latent, each
// four later frames another. For starting a take from a given picture or video.
//
// Threads and lifetimes as the decoder's. A cache serves encoding or decoding, never both.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "engine/backend/backend.h"
#include "engine/model/vae/block.h"
#include "engine/model/vae/cache.h"
#include "engine/model/vae/config.h"
#include "storage/pack/pack_reader.h"

namespace longtake {

// Frames in [-1, 1], packed [frames, height, width, 3].
struct VaePixels {
  std::span<const float> values;
  int64_t frames = 0;
  int64_t height = 0;  // multiples of 8
  int64_t width = 0;
  std::function<bool()> keep_going = {};  // as of VaeLatents
};

class WanVaeEncoder {
  struct Key {};

 public:
  WanVaeEncoder(Key, const VaeConfig& config, VaeNetwork network)  // use Create
      : config_(config), network_(std::move(network)) {}
  static absl::StatusOr<std::unique_ptr<WanVaeEncoder>> Create(const VaeConfig& config,
                                                               const ResidentSection& section,
                                                               Backend& backend);

  // The latents of these frames as the transformer takes them, [z_dim, latent frames, height / 8,
  // width / 8], replace out: the mean of the posterior, scaled. 1 + 4k frames with a new cache, 4k
  // with the one of the call before; anything else is INVALID_ARGUMENT, with the cache as it was.
  absl::Status Encode(const VaePixels& pixels, VaeCache& cache, std::vector<float>* out);

  // Held for activations between calls: at most VaeEncoderScratchBytes of the latest latent size.
  uint64_t scratch_bytes() const { return network_.scratch_bytes(); }
  void Release() { network_.Release(); }  // gives it back

 private:
  static absl::Status Check(const VaePixels& pixels, const VaeCache& cache);
  absl::StatusOr<VaeFrames> Load(const VaePixels& pixels, int64_t first, int64_t count);

  VaeConfig config_;
  VaeNetwork network_;
};

}  // namespace longtake
