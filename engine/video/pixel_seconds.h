// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// How long decoding takes, as a calibration measures it and estimates use it. A plain value.
#pragma once

namespace longtake {

// Seconds of one decoder, with all workers and nothing beside; pixel 0: not known.
struct DecoderSeconds {
  double pixel = 0;   // of a frame
  double latent = 0;  // each latent beside its pixels: its many short operations
  // What the first latents of a stream take beyond that, by pixel of the picture: memory of caches
  // and layers is taken for the first time, and the first latent, which gives one frame instead of
  // four, goes through the same layers.
  double begin = 0;
};

struct PixelSeconds {
  DecoderSeconds full;  // the model's own decoder
  DecoderSeconds tiny;
};

}  // namespace longtake
