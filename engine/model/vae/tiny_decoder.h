// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The tiny decoder, TAEHV (docs/spec 6.6): a twentieth of the VAE's arithmetic, a softer picture.
// Streamed like the VAE's: one frame of the first latent, four of each later one, whatever the cut
// into calls.
//
// Threads and lifetimes as WanVaeDecoder's.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "engine/model/vae/block.h"
#include "engine/model/vae/decoder.h"

namespace longtake {

class TinyDecoder {
  struct Key {};

 public:
  TinyDecoder(Key, VaeNetwork network) : network_(std::move(network)) {}  // use Create
  // NOT_FOUND or FAILED_PRECONDITION naming a tensor that is missing or has another shape or type.
  static absl::StatusOr<std::unique_ptr<TinyDecoder>> Create(const ResidentSection& section,
                                                             Backend& backend);

  // As WanVaeDecoder::Decode.
  absl::Status Decode(const VaeLatents& latents, VaeCache& cache, std::vector<uint8_t>* rgb);
  // Before rounding, in [0, 1] but for what is not clamped; for golden tests.
  absl::Status DecodeToFloat(const VaeLatents& latents, VaeCache& cache,
                             std::vector<float>* pixels);

  const std::vector<VaeLayer>& layers() const { return network_.layers(); }
  uint64_t scratch_bytes() const { return network_.scratch_bytes(); }
  void Release() { network_.Release(); }  // gives it back

 private:
  absl::StatusOr<VaeFrames> Load(const VaeLatents& latents, int64_t frame);

  VaeNetwork network_;
};

}  // namespace longtake
