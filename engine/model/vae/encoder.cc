// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/encoder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"

namespace longtake {
namespace {

constexpr int64_t kColours = 3;
constexpr int64_t kPixelExtentMax = 32768;

}  // namespace

absl::StatusOr<std::unique_ptr<WanVaeEncoder>> WanVaeEncoder::Create(const VaeConfig& config,
                                                                     const ResidentSection& section,
                                                                     Backend& backend) {
  LT_ASSIGN_OR_RETURN(VaeNetwork network,
                      VaeNetwork::Create(VaeEncoderLayers(config), section, backend));
  return std::make_unique<WanVaeEncoder>(Key(), config, std::move(network));
}

absl::Status WanVaeEncoder::Check(const VaePixels& pixels, const VaeCache& cache) {
  for (const int64_t extent : {pixels.height, pixels.width}) {
    if (extent < kVaeSpaceFactor || extent > kPixelExtentMax || extent % kVaeSpaceFactor != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("pixels: height and width must be multiples of ", kVaeSpaceFactor, " up to ",
                       kPixelExtentMax, ", got ", extent));
    }
  }
  const int64_t alone = cache.calls == 0 ? 1 : 0;
  if (pixels.frames < alone || (pixels.frames - alone) % kVaeTimeFactor != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("pixels: ", pixels.frames, " frames, expected a multiple of ", kVaeTimeFactor,
                     alone == 1 ? " and one more" : ""));
  }
  LT_ASSIGN_OR_RETURN(
      const uint64_t count,
      CheckedProduct({static_cast<uint64_t>(pixels.frames), static_cast<uint64_t>(pixels.height),
                      static_cast<uint64_t>(pixels.width), static_cast<uint64_t>(kColours)},
                     "pixels"));
  if (count != pixels.values.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("pixels: ", pixels.values.size(), " values, the shape says ", count));
  }
  return absl::OkStatus();
}

absl::StatusOr<VaeFrames> WanVaeEncoder::Load(const VaePixels& pixels, int64_t first,
                                              int64_t count) {
  VaeFrames x = {kColours, pixels.height, pixels.width, {}};
  for (int64_t i = 0; i < count; ++i) {
    const auto from = pixels.values.begin() + (first + i) * x.frame_floats();
    LT_RETURN_IF_ERROR(network_.Load(
        x, [&](std::span<float> out) { std::copy_n(from, x.frame_floats(), out.begin()); }));
  }
  return x;
}

absl::Status WanVaeEncoder::Encode(const VaePixels& pixels, VaeCache& cache,
                                   std::vector<float>* out) {
  LT_RETURN_IF_ERROR(Check(pixels, cache));
  const int64_t height = pixels.height / kVaeSpaceFactor;
  const int64_t width = pixels.width / kVaeSpaceFactor;
  LT_RETURN_IF_ERROR(network_.Prepare(cache, height, width));
  const int64_t alone = cache.calls == 0 ? 1 : 0;
  const int64_t latents = alone + (pixels.frames - alone) / kVaeTimeFactor;
  const int64_t area = height * width;
  out->assign(config_.z_dim * latents * area, 0.0f);
  int64_t next = 0;
  for (int64_t latent = 0; latent < latents; ++latent) {
    const int64_t count = cache.calls == 0 ? 1 : kVaeTimeFactor;
    LT_ASSIGN_OR_RETURN(VaeFrames x, Load(pixels, next, count));
    next += count;
    LT_RETURN_IF_ERROR(network_.Run(cache, x, pixels.keep_going));
    // The first half of the channels is the mean, the second the log-variance.
    LT_ASSIGN_OR_RETURN(const std::span<const float> posterior, network_.Read(x.frames.front()));
    for (int64_t c = 0; c < config_.z_dim; ++c) {
      float* to = out->data() + (c * latents + latent) * area;
      for (int64_t i = 0; i < area; ++i) {
        const float mean = posterior[i * x.channels + c];
        to[i] = (mean - config_.latents_mean[c]) / config_.latents_std[c];
      }
    }
    network_.Recycle(x);
  }
  return absl::OkStatus();
}

}  // namespace longtake
