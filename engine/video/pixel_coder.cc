// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/pixel_coder.h"

#include <utility>

#include "base/finite.h"
#include "engine/model/vae/latent_grid.h"
#include "engine/model/vae/tiled.h"

namespace longtake {

PixelCoder::PixelCoder(std::unique_ptr<WanVaeDecoder> decoder,
                       std::unique_ptr<TinyDecoder> tiny_decoder,
                       std::unique_ptr<WanVaeEncoder> encoder)
    : decoder_(std::move(decoder)),
      tiny_decoder_(std::move(tiny_decoder)),
      encoder_(std::move(encoder)) {}

void PixelCoder::Use(Network network) {
  if (network != Network::kDecoder) decoder_->Release();
  if (network != Network::kTinyDecoder && has_tiny_decoder()) tiny_decoder_->Release();
  if (network != Network::kEncoder && has_encoder()) encoder_->Release();
}

uint64_t PixelCoder::scratch_bytes() const {
  return decoder_->scratch_bytes() + (has_tiny_decoder() ? tiny_decoder_->scratch_bytes() : 0) +
         (has_encoder() ? encoder_->scratch_bytes() : 0);
}

absl::Status PixelCoder::Decode(const Latents& latent, const DecodeChoice& choice,
                                const std::function<bool()>& keep_going,
                                std::vector<VaeCache>& caches, std::vector<uint8_t>* media) {
  // The tiny decoder's tanh would make numbers of infinities.
  LT_RETURN_IF_ERROR(CheckFinite(latent.values(), "latents"));
  const VaeLatents latents = {.values = latent.values(),
                              .frames = latent.frames(),
                              .height = latent.grid().height,
                              .width = latent.grid().width,
                              .keep_going = keep_going};
  Use(choice.tiny ? Network::kTinyDecoder : Network::kDecoder);
  if (choice.tiled) return DecodeTiled(*decoder_, VaeTiling(), latents, caches, media);
  caches.resize(1);
  return choice.tiny ? tiny_decoder_->Decode(latents, caches.front(), media)
                     : decoder_->Decode(latents, caches.front(), media);
}

const std::vector<VaeLayer>& PixelCoder::LayersOf(const DecodeChoice& choice) const {
  return choice.tiny ? tiny_decoder_->layers() : decoder_->layers();
}

int64_t PixelCoder::warm_up_latents(const DecodeChoice& choice) const {
  return WarmUpLatents(LayersOf(choice));
}

std::vector<VaeCache> PixelCoder::StartInMidStream(const DecodeChoice& choice, int64_t latents,
                                                   const LatentGrid& grid) const {
  const std::vector<VaeLayer>& layers = LayersOf(choice);
  if (choice.tiled) {
    return TiledCachesInMidStream(layers, VaeTiling(), latents, grid.height, grid.width);
  }
  std::vector<VaeCache> caches;
  caches.push_back(VaeCacheInMidStream(layers, latents, grid.height, grid.width));
  return caches;
}

absl::Status PixelCoder::EncodeNext(const StartClip& clip, const std::function<bool()>& keep_going,
                                    StartProgress& progress) {
  LT_CHECK(has_encoder());
  const int64_t count = progress.next_frame == 0 ? 1 : kVaeTimeFactor;
  const auto frame_values = static_cast<size_t>(clip.width * clip.height * 3);
  std::vector<float> pixels(static_cast<size_t>(count) * frame_values);
  const uint8_t* from = clip.rgb.data() + static_cast<size_t>(progress.next_frame) * frame_values;
  for (size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<float>(from[i]) / 127.5f - 1.0f;
  Use(Network::kEncoder);
  std::vector<float> latent;
  LT_RETURN_IF_ERROR(encoder_->Encode({.values = pixels,
                                       .frames = count,
                                       .height = clip.height,
                                       .width = clip.width,
                                       .keep_going = keep_going},
                                      progress.cache, &latent));
  LT_RETURN_IF_ERROR(CheckFinite(latent, "latents of the start frames"));
  const int64_t channels = decoder_->config().z_dim;
  const LatentGrid grid = LatentGrid::FromPixels(clip.width, clip.height);
  if (progress.next_frame == 0) {
    progress.latents = {channels, grid.WithFrames(LatentGrid::LatentFrames(clip.frames))};
  }
  progress.latents.SetFrames(LatentGrid::LatentFrames(progress.next_frame),
                             {channels, grid, latent});
  progress.next_frame += count;
  return absl::OkStatus();
}

}  // namespace longtake
