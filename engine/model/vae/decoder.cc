// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/decoder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/finite.h"

namespace longtake {
namespace {

// Far above any published size; keeps every product of sizes within 63 bits.
constexpr int64_t kLatentExtentMax = 4096;

void Convert(float pixel, float* out) { *out = pixel; }

void Convert(float pixel, uint8_t* out) { *out = PixelByte(pixel); }

template <class Pixel>
void Append(std::span<const float> frame, std::vector<Pixel>* out) {
  const size_t first = out->size();
  out->resize(first + frame.size());
  for (size_t i = 0; i < frame.size(); ++i) Convert(frame[i], out->data() + first + i);
}

}  // namespace

uint8_t PixelByte(float pixel) {
  const float low = pixel > -1.0f ? pixel : -1.0f;
  const float clamped = low < 1.0f ? low : 1.0f;
  return static_cast<uint8_t>((clamped + 1.0f) * 127.5f + 0.5f);
}

absl::Status CheckPixels(std::span<const float> frame) { return CheckFinite(frame, "pixels"); }

absl::StatusOr<std::unique_ptr<WanVaeDecoder>> WanVaeDecoder::Create(const VaeConfig& config,
                                                                     const ResidentSection& section,
                                                                     Backend& backend) {
  LT_ASSIGN_OR_RETURN(VaeNetwork network,
                      VaeNetwork::Create(VaeDecoderLayers(config), section, backend));
  return std::make_unique<WanVaeDecoder>(Key(), config, std::move(network));
}

absl::Status CheckVaeLatents(const VaeLatents& latents, int64_t channels) {
  for (const int64_t extent : {latents.height, latents.width}) {
    if (extent < 1 || extent > kLatentExtentMax) {
      return absl::InvalidArgumentError(absl::StrCat("latents: height and width must be from 1 to ",
                                                     kLatentExtentMax, ", got ", extent));
    }
  }
  if (latents.frames < 0) return absl::InvalidArgumentError("latents: negative frames");
  LT_ASSIGN_OR_RETURN(
      const uint64_t count,
      CheckedProduct({static_cast<uint64_t>(channels), static_cast<uint64_t>(latents.frames),
                      static_cast<uint64_t>(latents.height), static_cast<uint64_t>(latents.width)},
                     "latents"));
  if (count != latents.values.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("latents: ", latents.values.size(), " values, the shape says ", count));
  }
  return absl::OkStatus();
}

absl::StatusOr<VaeFrames> WanVaeDecoder::Load(const VaeLatents& latents, int64_t frame) {
  VaeFrames x = {config_.z_dim, latents.height, latents.width, {}};
  LT_RETURN_IF_ERROR(network_.Load(x, [&](std::span<float> out) {
    for (int64_t c = 0; c < config_.z_dim; ++c) {
      const float* in = latents.values.data() + (c * latents.frames + frame) * x.pixels();
      for (int64_t i = 0; i < x.pixels(); ++i) {
        out[i * config_.z_dim + c] = in[i] * config_.latents_std[c] + config_.latents_mean[c];
      }
    }
  }));
  return x;
}

template <class Pixel>
absl::Status WanVaeDecoder::DecodeTo(const VaeLatents& latents, VaeCache& cache,
                                     std::vector<Pixel>* out) {
  LT_RETURN_IF_ERROR(Check(latents));
  LT_RETURN_IF_ERROR(network_.Prepare(cache, latents.height, latents.width));
  out->clear();
  for (int64_t frame = 0; frame < latents.frames; ++frame) {
    LT_ASSIGN_OR_RETURN(VaeFrames x, Load(latents, frame));
    LT_RETURN_IF_ERROR(network_.Run(cache, x, latents.keep_going));
    for (const VaeFrame& decoded : x.frames) {
      LT_ASSIGN_OR_RETURN(const std::span<const float> pixels, network_.Read(decoded));
      LT_RETURN_IF_ERROR(CheckPixels(pixels));
      Append(pixels, out);
    }
    network_.Recycle(x);
  }
  return absl::OkStatus();
}

absl::Status WanVaeDecoder::Decode(const VaeLatents& latents, VaeCache& cache,
                                   std::vector<uint8_t>* rgb) {
  return DecodeTo(latents, cache, rgb);
}

absl::Status WanVaeDecoder::DecodeToFloat(const VaeLatents& latents, VaeCache& cache,
                                          std::vector<float>* pixels) {
  return DecodeTo(latents, cache, pixels);
}

}  // namespace longtake
