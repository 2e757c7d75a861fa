// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Small synthetic models, made the way a user's model is: a published directory, packed, streamed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "engine/backend/backend.h"
#include "engine/model/model_sweep.h"
#include "engine/model/umt5/encoder.h"
#include "engine/model/wan/transformer.h"
#include "pack/synthetic_weights.h"
#include "storage/pack/pack_reader.h"
#include "storage/stream/layer_stream.h"
#include "tests/golden/fixture.h"

namespace longtake {

// Writes the component's directory and packs it, matrices in dtype (kF32, kBf16, or the
// layers' in kI8 with scales and all else in kF32); opened.
std::unique_ptr<PackReader> MakePack(const std::string& directory,
                                     const SyntheticComponent& component, DType dtype);

// All layers of the stream.
absl::Status RunLayers(ModelSweep& model_sweep, LayerStream& layers);
// Embed, all layers, head.
absl::Status RunWholeSweep(ModelSweep& model_sweep, LayerStream& layers);

// A transformer with its pack and stream. Everything it needs lives as long as it does.
struct TinyTransformer {
  struct Options {
    std::string config_json;
    uint64_t seed = 0;
    DType dtype = DType::kF32;
    LayerStream::Options stream;
    size_t slots = 0;  // of the device
    WanTransformerOptions model{.tokens_max = 512, .text_rows = 12, .kv_dtype = DType::kF32};
  };
  TinyTransformer(const Options& options, Backend& backend);

  // A sweep over the items, from embedding to head.
  absl::Status Run(std::vector<VideoItem> items);

  ScratchDirectory directory;
  std::unique_ptr<PackReader> pack;
  std::unique_ptr<LayerStream> layers;
  std::unique_ptr<WanTransformer> model;
};

// A text encoder with its pack and stream.
struct TinyTextEncoder {
  struct Options {
    std::string config_json;
    uint64_t seed = 0;
    DType dtype = DType::kF32;
  };
  TinyTextEncoder(const Options& options, Backend& backend);

  // States of each prompt, all in one sweep.
  std::vector<std::vector<float>> Encode(const std::vector<std::vector<int32_t>>& prompts);

  ScratchDirectory directory;
  std::unique_ptr<PackReader> pack;
  std::unique_ptr<LayerStream> layers;
  std::unique_ptr<Umt5Encoder> model;
};

}  // namespace longtake
