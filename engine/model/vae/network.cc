// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/block.h"

namespace longtake {
namespace {

std::unique_ptr<VaeBlock> MakeBlock(const VaeBlockSource& source) {
  switch (source.layer.kind) {
    case VaeLayerKind::kPointwise:
    case VaeLayerKind::kConv:
      return MakeVaeConv(source);
    case VaeLayerKind::kRes:
      return MakeVaeRes(source);
    case VaeLayerKind::kAttention:
      return MakeVaeAttention(source);
    case VaeLayerKind::kUp2d:
    case VaeLayerKind::kUp3d:
      return MakeVaeUp(source);
    case VaeLayerKind::kDown2d:
    case VaeLayerKind::kDown3d:
      return MakeVaeDown(source);
    case VaeLayerKind::kHead:
      return MakeVaeHead(source);
    case VaeLayerKind::kPlainConv:
    case VaeLayerKind::kPlainUp:
      return MakePlainConv(source);
    case VaeLayerKind::kGrow:
      return MakeGrow(source);
    case VaeLayerKind::kMemory:
      return MakeMemory(source);
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<ConvWeights> VaeBlockSource::Pack(const ConvShape& shape, const void* weights,
                                                  DType dtype, const float* bias) const {
  auto packed = backend.PackConv(shape, weights, dtype, bias);
  if (packed.ok()) return *std::move(packed);
  lookup.Fail(Annotate(packed.status(), layer.prefix));
  return nullptr;
}

absl::StatusOr<VaeNetwork> VaeNetwork::Create(const std::vector<VaeLayer>& layers,
                                              const ResidentSection& section, Backend& backend) {
  VaeNetwork network(backend);
  network.layers_ = layers;
  ResidentLookup lookup(section);
  size_t entry = 0;
  for (const VaeLayer& layer : layers) {
    network.blocks_.push_back(MakeBlock({layer, entry, lookup, backend}));
    entry += VaeCacheEntryCount(layer);
    LT_RETURN_IF_ERROR(lookup.status());
  }
  return network;
}

absl::Status VaeNetwork::Prepare(const VaeCache& cache, int64_t height, int64_t width) {
  LT_RETURN_IF_ERROR(CheckVaeCache(cache, layers_, height, width));
  if (height != height_ || width != width_) pool_.Clear();
  height_ = height;
  width_ = width;
  return absl::OkStatus();
}

absl::Status VaeNetwork::Run(VaeCache& cache, VaeFrames& x,
                             const std::function<bool()>& keep_going) {
  if (cache.entries.empty()) {
    cache.height = height_;
    cache.width = width_;
    cache.entries.resize(VaeCacheEntries(layers_, height_, width_).size());
  }
  VaeCall call = {*backend_, pool_, cache, cache.calls == 0};
  for (const std::unique_ptr<VaeBlock>& block : blocks_) {
    if (keep_going && !keep_going()) {
      Recycle(x);
      return absl::CancelledError("nobody waits for the frames");
    }
    block->Run(call, x);
  }
  ++cache.calls;
  return absl::OkStatus();
}

}  // namespace longtake
