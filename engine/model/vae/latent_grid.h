// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Frames, rows and columns of latents, and how they count in pixels (docs/spec 3.1): the VAE makes
// one pixel frame of a stream's first latent frame and four of each later one, and 8 x 8 pixels of
// each latent. A plain value; sizes come from a resolved spec or from constants, so that no product
// overflows.
#pragma once

#include <cstdint>

#include "engine/model/vae/config.h"

namespace longtake {

struct LatentGrid {
  int64_t frames = 1;
  int64_t height = 0;
  int64_t width = 0;

  // One latent frame of pictures of this many pixels, which are multiples of kVaeSpaceFactor.
  static constexpr LatentGrid FromPixels(int64_t width, int64_t height) {
    return {.frames = 1, .height = height / kVaeSpaceFactor, .width = width / kVaeSpaceFactor};
  }
  constexpr LatentGrid WithFrames(int64_t count) const {
    return {.frames = count, .height = height, .width = width};
  }

  // Latents of a frame, and of all frames; of one channel.
  constexpr int64_t area() const { return height * width; }
  constexpr int64_t volume() const { return frames * area(); }

  // Pixel frames of the first latent frames of a stream, and of as many later ones.
  static constexpr int64_t PixelFrames(int64_t latent_frames) {
    return latent_frames < 1 ? 0 : 1 + LaterPixelFrames(latent_frames - 1);
  }
  static constexpr int64_t LaterPixelFrames(int64_t latent_frames) {
    return kVaeTimeFactor * latent_frames;
  }
  // The least number of latent frames that make so many pixel frames from a stream's start.
  static constexpr int64_t LatentFrames(int64_t pixel_frames) {
    return pixel_frames < 1 ? 0 : 1 + RoundedUp(pixel_frames - 1, kVaeTimeFactor);
  }
  // The same in chunks of so many latent frames.
  static constexpr int64_t ChunkCount(int64_t pixel_frames, int64_t chunk_frames) {
    return RoundedUp(LatentFrames(pixel_frames), chunk_frames);
  }

  friend bool operator==(const LatentGrid&, const LatentGrid&) = default;

 private:
  static constexpr int64_t RoundedUp(int64_t count, int64_t divisor) {
    return (count + divisor - 1) / divisor;
  }
};

}  // namespace longtake
