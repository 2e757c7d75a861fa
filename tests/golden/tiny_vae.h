// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A small synthetic VAE, packed and opened as a user's is.
#pragma once

#include <memory>
#include <string>

#include "engine/backend/backend.h"
#include "engine/model/vae/decoder.h"
#include "engine/model/vae/encoder.h"
#include "tests/golden/tiny_model.h"

namespace longtake {

struct TinyVae {
  struct Options {
    std::string config_json;
    uint64_t seed = 0;
    DType dtype = DType::kF32;
  };
  TinyVae(const Options& options, Backend& backend)
      : directory("vae"), config(Must(ParseVaeConfig(options.config_json, "config.json"))) {
    const auto pack = MakePack(directory.path(),
                               {.layout = WanVaeLayout(config),
                                .config_json = options.config_json,
                                .rule = {.seed = options.seed}},
                               options.dtype);
    const ResidentSection section = Must(pack->LoadResident());
    decoder = Must(WanVaeDecoder::Create(config, section, backend));
    encoder = Must(WanVaeEncoder::Create(config, section, backend));
  }

  ScratchDirectory directory;
  VaeConfig config;
  std::unique_ptr<WanVaeDecoder> decoder;
  std::unique_ptr<WanVaeEncoder> encoder;
};

// Frames [first, first + count) of latents [channels, frames, area].
inline std::vector<float> LatentFrames(const std::vector<float>& latents, int64_t channels,
                                       int64_t first, int64_t count, int64_t area) {
  const auto frames = static_cast<int64_t>(latents.size()) / channels / area;
  std::vector<float> out;
  for (int64_t c = 0; c < channels; ++c) {
    const auto begin = latents.begin() + (c * frames + first) * area;
    out.insert(out.end(), begin, begin + count * area);
  }
  return out;
}

}  // namespace longtake
