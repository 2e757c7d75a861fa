// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/layer_stage.h"

#include <utility>

namespace longtake {

absl::StatusOr<std::unique_ptr<LayerStage>> LayerStage::Open(const PackReader& pack,
                                                             const WanConfig& config,
                                                             Machine machine,
                                                             const Options& options) {
  LT_ASSIGN_OR_RETURN(ResidentSection resident, pack.LoadResident(options.transformer.populator));
  const uint64_t resident_bytes = resident.bytes();
  LT_ASSIGN_OR_RETURN(
      std::unique_ptr<WanTransformer> transformer,
      WanTransformer::Create(config, std::move(resident), *machine.backend, options.transformer));
  LayerStream::Options stream = options.stream;
  stream.layers = transformer->layers();
  LT_ASSIGN_OR_RETURN(std::unique_ptr<LayerStream> layers, LayerStream::Open(pack, stream));
  auto stage = std::unique_ptr<LayerStage>(new LayerStage(
      std::move(machine), std::move(transformer), std::move(layers), resident_bytes));
  if (stage->range().first > 0) {
    stage->received_.reserve(static_cast<size_t>(options.transformer.tokens_max) *
                             static_cast<size_t>(config.width()));
  }
  return stage;
}

LayerStage::LayerStage(Machine machine, std::unique_ptr<WanTransformer> transformer,
                       std::unique_ptr<LayerStream> layers, uint64_t resident_bytes)
    : machine_(std::move(machine)),
      transformer_(std::move(transformer)),
      layers_(std::move(layers)),
      resident_bytes_(resident_bytes) {}

}  // namespace longtake
