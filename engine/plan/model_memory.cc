// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/model_memory.h"

#include <algorithm>
#include <vector>

#include "base/checked.h"
#include "engine/model/umt5/config.h"
#include "engine/model/vae/config.h"
#include "engine/model/vae/layers.h"
#include "engine/model/wan/config.h"
#include "engine/video/backend_options.h"

namespace longtake {
namespace {

constexpr int64_t kPanelChannels = 8;  // a convolution's output channels are held in eights

// Widened to fp32.
absl::StatusOr<uint64_t> ConvBytes(const std::vector<VaeLayer>& layers) {
  uint64_t bytes = 0;
  for (const VaeLayer& layer : layers) {
    for (const TensorSpec& tensor : VaeLayerTensors(layer)) {
      std::vector<int64_t> shape = tensor.shape;
      if (shape.size() > 3) shape[0] = (shape[0] + kPanelChannels - 1) & -kPanelChannels;
      LT_ASSIGN_OR_RETURN(const uint64_t count, ElementCount(shape, tensor.name));
      bytes += count * sizeof(float);
    }
  }
  return bytes;
}

absl::StatusOr<uint64_t> VaeBytes(const PackDirectory& pack, const VideoModelOptions& options) {
  LT_ASSIGN_OR_RETURN(const PackReader* vae, pack.Component("vae"));
  LT_ASSIGN_OR_RETURN(const VaeConfig config, ParseVaeConfig(vae->config(), vae->path()));
  LT_ASSIGN_OR_RETURN(uint64_t bytes, ConvBytes(VaeDecoderLayers(config)));
  if (options.with_encoder) {
    LT_ASSIGN_OR_RETURN(const uint64_t encoder, ConvBytes(VaeEncoderLayers(config)));
    bytes += encoder;
  }
  if (pack.Has("tiny_decoder")) {
    LT_ASSIGN_OR_RETURN(const uint64_t tiny, ConvBytes(TinyDecoderLayers()));
    bytes += tiny;
  }
  return bytes;
}

// Of a stream that keeps nothing.
uint64_t SlotBytes(const PackReader& pack, size_t slot_count) {
  return LayerStream::MemoryBytes(pack, {.slot_count = slot_count});
}

uint64_t LayerBytes(const PackReader& pack) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < pack.layer_count(); ++i) bytes += pack.layer(i).bytes();
  return bytes;
}

}  // namespace

absl::StatusOr<ModelMemory> MeasureModel(FileSystem& files, const std::string& directory,
                                         const VideoModelOptions& options, int threads) {
  LT_ASSIGN_OR_RETURN(const PackDirectory pack,
                      PackDirectory::Open(files, directory, options.layer_paths));
  return MeasureModel(pack, options, threads);
}

absl::StatusOr<ModelMemory> MeasureModel(const PackDirectory& pack,
                                         const VideoModelOptions& options, int threads) {
  LT_ASSIGN_OR_RETURN(const PackReader* transformer, pack.Component("transformer"));
  LT_ASSIGN_OR_RETURN(const PackReader* text, pack.Component("text_encoder"));
  LT_ASSIGN_OR_RETURN(const WanConfig config,
                      ParseWanConfig(transformer->config(), transformer->path()));
  LT_ASSIGN_OR_RETURN(const Umt5Config text_config, ParseUmt5Config(text->config(), text->path()));
  LT_ASSIGN_OR_RETURN(
      const MemoryUse buffers,
      WanTransformer::BufferBytes(config, VideoModel::TransformerOptions(options, *transformer)));
  LT_ASSIGN_OR_RETURN(
      const MemoryUse text_buffers,
      Umt5Encoder::BufferBytes(text_config, VideoModel::TextOptions(options, *text)));
  ModelMemory memory;
  memory.has_device = options.device_has_memory;
  memory.resident.host = transformer->resident().bytes + text->resident().bytes;
  if (memory.has_device) memory.resident.device = memory.resident.host;
  LT_ASSIGN_OR_RETURN(memory.vae.device, VaeBytes(pack, options));
  // What the encoder makes of prompts is there until the sessions have taken it.
  const uint64_t states = static_cast<uint64_t>(VideoModel::PromptRowsMax(options)) *
                          static_cast<uint64_t>(config.text_dim) * sizeof(float);
  memory.buffers = buffers + text_buffers + MemoryUse{.host = states};
  LT_ASSIGN_OR_RETURN(const CpuBackendOptions sweeping, SweepBackendOptions(pack, options));
  memory.scratch.host =
      CpuScratchBytes(sweeping, threads) + CpuScratchBytes(DecodeBackendOptions(options), threads);
  if (!memory.has_device) {
    memory.vae = memory.vae.OfHost();
    memory.buffers = memory.buffers.OfHost();
  }
  memory.transformer_layers = LayerBytes(*transformer);
  memory.text_layers = LayerBytes(*text);
  memory.transformer_slots =
      std::min(memory.transformer_layers, SlotBytes(*transformer, options.slot_count));
  memory.text_slots = std::min(memory.text_layers, SlotBytes(*text, options.text_slot_count));
  return memory;
}

}  // namespace longtake
