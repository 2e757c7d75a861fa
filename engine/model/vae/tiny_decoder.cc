// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/tiny_decoder.h"

#include <cmath>

namespace longtake {
namespace {

constexpr size_t kDroppedFrames = 3;  // of a stream; every latent gives four

}  // namespace

absl::StatusOr<std::unique_ptr<TinyDecoder>> TinyDecoder::Create(const ResidentSection& section,
                                                                 Backend& backend) {
  LT_ASSIGN_OR_RETURN(VaeNetwork network,
                      VaeNetwork::Create(TinyDecoderLayers(), section, backend));
  return std::make_unique<TinyDecoder>(Key(), std::move(network));
}

// Latents outside of what training saw are bent back: 3 tanh(x / 3).
absl::StatusOr<VaeFrames> TinyDecoder::Load(const VaeLatents& latents, int64_t frame) {
  VaeFrames x = {kTinyDecoderChannels, latents.height, latents.width, {}};
  LT_RETURN_IF_ERROR(network_.Load(x, [&](std::span<float> out) {
    for (int64_t c = 0; c < x.channels; ++c) {
      const float* in = latents.values.data() + (c * latents.frames + frame) * x.pixels();
      for (int64_t i = 0; i < x.pixels(); ++i) {
        out[i * x.channels + c] = static_cast<float>(3.0 * std::tanh(double{in[i]} / 3.0));
      }
    }
  }));
  return x;
}

absl::Status TinyDecoder::DecodeToFloat(const VaeLatents& latents, VaeCache& cache,
                                        std::vector<float>* pixels) {
  LT_RETURN_IF_ERROR(CheckVaeLatents(latents, kTinyDecoderChannels));
  LT_RETURN_IF_ERROR(network_.Prepare(cache, latents.height, latents.width));
  pixels->clear();
  for (int64_t frame = 0; frame < latents.frames; ++frame) {
    const size_t dropped = cache.calls == 0 ? kDroppedFrames : 0;
    LT_ASSIGN_OR_RETURN(VaeFrames x, Load(latents, frame));
    LT_RETURN_IF_ERROR(network_.Run(cache, x, latents.keep_going));
    for (size_t i = 0; i < x.frames.size(); ++i) {
      LT_ASSIGN_OR_RETURN(const std::span<const float> frame_pixels, network_.Read(x.frames[i]));
      LT_RETURN_IF_ERROR(CheckPixels(frame_pixels));
      if (i >= dropped) pixels->insert(pixels->end(), frame_pixels.begin(), frame_pixels.end());
    }
    network_.Recycle(x);
  }
  return absl::OkStatus();
}

absl::Status TinyDecoder::Decode(const VaeLatents& latents, VaeCache& cache,
                                 std::vector<uint8_t>* rgb) {
  std::vector<float> pixels;
  LT_RETURN_IF_ERROR(DecodeToFloat(latents, cache, &pixels));
  rgb->resize(pixels.size());
  for (size_t i = 0; i < pixels.size(); ++i) (*rgb)[i] = PixelByte(2.0f * pixels[i] - 1.0f);
  return absl::OkStatus();
}

}  // namespace longtake
