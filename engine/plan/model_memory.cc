// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/model_memory.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "base/error_reason.h"
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

uint64_t LayerBytes(const PackReader& pack, const LayerRange& layers) {
  uint64_t bytes = 0;
  for (int64_t i = layers.first; i < layers.end; ++i) {
    bytes += pack.layer(static_cast<size_t>(i)).bytes();
  }
  return bytes;
}

absl::StatusOr<WanConfig> TransformerConfig(const PackReader& transformer) {
  return ParseWanConfig(transformer.config(), transformer.path());
}

// Where the device has no memory of its own all is the host's.
ModelMemory Settled(ModelMemory memory) {
  if (memory.has_device) return memory;
  memory.vae = memory.vae.OfHost();
  memory.buffers = memory.buffers.OfHost();
  return memory;
}

MemoryUse Resident(const PackReader& pack, bool has_device) {
  const uint64_t bytes = pack.resident().bytes;
  return {.host = bytes, .device = has_device ? bytes : 0};
}

// Its part of the transformer.
absl::StatusOr<ModelMemory> MeasureStage(const PackDirectory& pack,
                                         const VideoModelOptions& options, const ModelStage& stage,
                                         int threads) {
  LT_ASSIGN_OR_RETURN(const PackReader* transformer, pack.Component("transformer"));
  LT_ASSIGN_OR_RETURN(const WanConfig config, TransformerConfig(*transformer));
  LT_ASSIGN_OR_RETURN(const CpuBackendOptions sweeping, SweepBackendOptions(pack, options));
  ModelMemory memory;
  memory.has_device = options.device_has_memory;
  memory.resident = Resident(*transformer, memory.has_device);
  LT_ASSIGN_OR_RETURN(
      memory.buffers,
      WanTransformer::BufferBytes(config, VideoModel::TransformerOptions(options, *transformer)));
  if (stage.layers.first > 0) {  // what it receives
    memory.buffers.host += static_cast<uint64_t>(options.tokens_max) *
                           static_cast<uint64_t>(config.width()) * sizeof(float);
  }
  memory.scratch.host =
      CpuScratchBytes(sweeping, stage.cores.has_value() ? stage.cores->count() : threads);
  const LayerRange layers = stage.layers.Of(static_cast<int64_t>(transformer->layer_count()));
  memory.transformer_layers = LayerBytes(*transformer, layers);
  memory.transformer_slots = std::min(
      memory.transformer_layers,
      LayerStream::MemoryBytes(*transformer, {.layers = layers, .slot_count = options.slot_count}));
  return Settled(memory);
}

// What is there once, however many stages there are.
absl::StatusOr<ModelMemory> MeasureFront(const PackDirectory& pack,
                                         const VideoModelOptions& options, int threads) {
  LT_ASSIGN_OR_RETURN(const PackReader* transformer, pack.Component("transformer"));
  LT_ASSIGN_OR_RETURN(const PackReader* text, pack.Component("text_encoder"));
  LT_ASSIGN_OR_RETURN(const WanConfig config, TransformerConfig(*transformer));
  LT_ASSIGN_OR_RETURN(const Umt5Config text_config, ParseUmt5Config(text->config(), text->path()));
  ModelMemory memory;
  memory.has_device = options.device_has_memory;
  memory.resident = Resident(*text, memory.has_device);
  LT_ASSIGN_OR_RETURN(memory.vae.device, VaeBytes(pack, options));
  LT_ASSIGN_OR_RETURN(memory.buffers, Umt5Encoder::BufferBytes(
                                          text_config, VideoModel::TextOptions(options, *text)));
  // What the encoder makes of prompts is there until the sessions have taken it.
  memory.buffers.host += static_cast<uint64_t>(VideoModel::PromptRowsMax(options)) *
                         static_cast<uint64_t>(config.text_dim) * sizeof(float);
  memory.scratch.host = CpuScratchBytes(DecodeBackendOptions(options), threads);
  memory.text_layers =
      LayerBytes(*text, LayerRange().Of(static_cast<int64_t>(text->layer_count())));
  memory.text_slots = std::min(
      memory.text_layers, LayerStream::MemoryBytes(*text, {.slot_count = options.text_slot_count}));
  return Settled(memory);
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
  LT_ASSIGN_OR_RETURN(ModelMemory memory, MeasureStage(pack, options, ModelStage(), threads));
  LT_ASSIGN_OR_RETURN(const ModelMemory front, MeasureFront(pack, options, threads));
  memory.Add(front);
  return memory;
}

absl::StatusOr<std::vector<ModelMemory>> MeasureStages(FileSystem& files,
                                                       const std::string& directory,
                                                       const VideoModelOptions& options,
                                                       int threads) {
  LT_ASSIGN_OR_RETURN(const PackDirectory pack,
                      PackDirectory::Open(files, directory, options.layer_paths));
  std::vector<ModelMemory> out;
  for (size_t i = 0; i < options.stages.size(); ++i) {
    const ModelStage& stage = options.stages[i];
    const auto of_stage = PackDirectory::Open(files, directory, PathsOf(stage, options));
    if (!of_stage.ok()) {
      return Annotate(of_stage.status(), absl::StrCat("stage ", i, ": path"));
    }
    LT_ASSIGN_OR_RETURN(out.emplace_back(), MeasureStage(*of_stage, options, stage, threads));
  }
  LT_ASSIGN_OR_RETURN(const ModelMemory front, MeasureFront(pack, options, threads));
  out.front().Add(front);
  return out;
}

void ModelMemory::Add(const ModelMemory& other) {
  resident += other.resident;
  vae += other.vae;
  buffers += other.buffers;
  scratch += other.scratch;
  transformer_slots += other.transformer_slots;
  transformer_layers += other.transformer_layers;
  text_slots += other.text_slots;
  text_layers += other.text_layers;
}

}  // namespace longtake
