// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A video model's networks between latents and pixels: the VAE's decoder and encoder, the tiny
// decoder. Each keeps what it worked in for its next call; sessions pay for the largest of them, so
// the others give theirs back before one begins.
//
// The methods of ChunkDecoder on the thread of the decode lane; which networks there are, any
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/model/vae/decoder.h"
#include "engine/model/vae/encoder.h"
#include "engine/model/vae/tiny_decoder.h"
#include "engine/take/chunk_decoder.h"

namespace longtake {

class PixelCoder final : public ChunkDecoder {
 public:
  // The tiny decoder and the encoder may be null.
  PixelCoder(std::unique_ptr<WanVaeDecoder> decoder, std::unique_ptr<TinyDecoder> tiny_decoder,
             std::unique_ptr<WanVaeEncoder> encoder);

  bool has_tiny_decoder() const { return tiny_decoder_ != nullptr; }
  bool has_encoder() const { return encoder_ != nullptr; }

  absl::Status Decode(const Latents& latent, const DecodeChoice& choice,
                      const std::function<bool()>& keep_going, std::vector<VaeCache>& caches,
                      std::vector<uint8_t>* media) override;
  int64_t warm_up_latents(const DecodeChoice& choice) const override;
  std::vector<VaeCache> StartInMidStream(const DecodeChoice& choice, int64_t latents,
                                         const LatentGrid& grid) const override;
  absl::Status EncodeNext(const StartClip& clip, const std::function<bool()>& keep_going,
                          StartProgress& progress) override;
  Device& device() override { return decoder_->device(); }
  void Release() override { Use(Network::kNone); }
  uint64_t scratch_bytes() const;  // kept now

 private:
  enum class Network { kNone, kDecoder, kTinyDecoder, kEncoder };
  const std::vector<VaeLayer>& LayersOf(const DecodeChoice& choice) const;
  // The others give back what they keep.
  void Use(Network network);

  const std::unique_ptr<WanVaeDecoder> decoder_;
  const std::unique_ptr<TinyDecoder> tiny_decoder_;
  const std::unique_ptr<WanVaeEncoder> encoder_;
};

}  // namespace longtake
