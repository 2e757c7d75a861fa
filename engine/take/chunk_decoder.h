// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Latents to media, and the media that a take begins with to latents, as the decode lane asks for
// it: a latent frame at a time, so that it may go on with another session after each. Serves all
// sessions of a model; what it keeps of one lies with the caller. The decode lane's thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "engine/model/vae/cache.h"
#include "engine/take/latents.h"

namespace longtake {

// What a session may choose between.
struct DecodeChoice {
  bool tiny = false;   // the small decoder, of a model that has one
  bool tiled = false;  // tile by tile, with less memory to work in
};

// Pictures that a take begins with, RGB24 [frames, height, width, 3]. Borrowed.
struct StartClip {
  std::span<const uint8_t> rgb;
  int64_t frames = 0;
  int64_t height = 0;
  int64_t width = 0;
};

// How far a clip is encoded.
struct StartProgress {
  int64_t next_frame = 0;
  Latents latents = {};  // of the whole clip; zeros where it is not encoded yet
  VaeCache cache = {};
};

class ChunkDecoder {
 public:
  virtual ~ChunkDecoder() = default;

  // The bytes of one latent frame replace media. The caches are none for a take's first frame, then
  // those of the frame before. keep_going is asked on the way; when it says no, the answer is
  // CANCELLED. INTERNAL (NOT_FINITE) when a latent or a pixel is no finite number. After any error
  // the caches are of no more use.
  virtual absl::Status Decode(const Latents& latent, const DecodeChoice& choice,
                              const std::function<bool()>& keep_going,
                              std::vector<VaeCache>& caches, std::vector<uint8_t>* media) = 0;
  // A decoder's caches need not be kept: latents that were decoded make them again, bit for bit. To
  // go on at latent d, the last warm_up_latents before d are decoded once more and their media is
  // thrown away, from caches of d - warm_up_latents on; where there are fewer, all of them from
  // none. Pure, any thread.
  virtual int64_t warm_up_latents(const DecodeChoice& choice) const = 0;
  // Caches to begin with after so many latents that are not decoded, at least 1, for such a
  // warm-up alone: the media that comes first is wrong. grid is of one latent frame.
  virtual std::vector<VaeCache> StartInMidStream(const DecodeChoice& choice, int64_t latents,
                                                 const LatentGrid& grid) const = 0;
  // Encodes the clip's next latent frame. Errors as Decode. Only of a model with an encoder.
  virtual absl::Status EncodeNext(const StartClip& clip, const std::function<bool()>& keep_going,
                                  StartProgress& progress) = 0;
  // In whose memory the caches are. It lives as long as the decoder; any thread.
  virtual Device& device() = 0;
  // Gives back what it keeps to work in from one call to the next.
  virtual void Release() = 0;
};

}  // namespace longtake
