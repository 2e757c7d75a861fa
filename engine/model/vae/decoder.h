// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Latents to pixels, streamed (docs/spec 6.2, 6.3): the first latent of a stream gives one frame,
// each later one four. Latents go through one at a time whatever their number in a call, so the
// frames of a stream do not depend on how it was cut into calls.
//
// One thread; the work is spread over the backend's workers. The backend must outlive the decoder;
// the section is not needed after Create.
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

// Latents as the transformer makes them, not yet scaled by latents_std: [z_dim, frames, height,
// width].
struct VaeLatents {
  std::span<const float> values;
  int64_t frames = 0;
  int64_t height = 0;
  int64_t width = 0;
  // Asked between the network's blocks; empty: nobody is asked. When it says no, the answer is
  // CANCELLED, and the cache is of no more use.
  std::function<bool()> keep_going = {};
};

// INVALID_ARGUMENT when sizes are out of range or do not fit the values.
absl::Status CheckVaeLatents(const VaeLatents& latents, int64_t channels);

// INTERNAL with the reason NOT_FINITE when a decoder made a pixel that is no finite number: to be
// asked before bytes, tiles or a clamp hide it.
absl::Status CheckPixels(std::span<const float> frame);

// [-1, 1] to [0, 255], to nearest; NaN becomes 0.
uint8_t PixelByte(float pixel);

class WanVaeDecoder {
  struct Key {};

 public:
  WanVaeDecoder(Key, const VaeConfig& config, VaeNetwork network)  // use Create
      : config_(config), network_(std::move(network)) {}
  // NOT_FOUND or FAILED_PRECONDITION naming a tensor that is missing or has another shape or type.
  static absl::StatusOr<std::unique_ptr<WanVaeDecoder>> Create(const VaeConfig& config,
                                                               const ResidentSection& section,
                                                               Backend& backend);

  // The pixel frames of these latents, packed [frames, 8 height, 8 width, 3], replace rgb. The
  // cache is new for the first latents of a stream, then the one of the call before.
  // INVALID_ARGUMENT, with the cache as it was, when sizes do not fit each other or the cache;
  // INTERNAL (NOT_FINITE), with a cache that is of no more use, as CheckPixels.
  absl::Status Decode(const VaeLatents& latents, VaeCache& cache, std::vector<uint8_t>* rgb);

  // The same before rounding to bytes, without the clamp to [-1, 1]; for golden tests.
  absl::Status DecodeToFloat(const VaeLatents& latents, VaeCache& cache,
                             std::vector<float>* pixels);

  const std::vector<VaeLayer>& layers() const { return network_.layers(); }
  // INVALID_ARGUMENT when sizes are out of range or do not fit the values.
  absl::Status Check(const VaeLatents& latents) const {
    return CheckVaeLatents(latents, config_.z_dim);
  }

  const VaeConfig& config() const { return config_; }
  Device& device() { return network_.device(); }
  // Held for activations between calls: at most VaeScratchBytes of the latest latent size.
  uint64_t scratch_bytes() const { return network_.scratch_bytes(); }
  void Release() { network_.Release(); }  // gives it back

 private:
  // Latent frame of the call, scaled to the VAE's space.
  absl::StatusOr<VaeFrames> Load(const VaeLatents& latents, int64_t frame);
  template <class Pixel>
  absl::Status DecodeTo(const VaeLatents& latents, VaeCache& cache, std::vector<Pixel>* out);

  VaeConfig config_;
  VaeNetwork network_;
};

}  // namespace longtake
