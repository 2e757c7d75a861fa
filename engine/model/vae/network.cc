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
  if (height != height_ || width != width_) Release();
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
      LT_RETURN_IF_ERROR(backend_->Await());
      return absl::CancelledError("nobody waits for the frames");
    }
    LT_RETURN_IF_ERROR(block->Run(call, x));
  }
  ++cache.calls;
  return absl::OkStatus();
}

absl::StatusOr<std::span<float>> VaeNetwork::Staging(uint64_t bytes) {
  LT_RETURN_IF_ERROR(backend_->Await());
  if (staging_.size() < bytes) {
    LT_ASSIGN_OR_RETURN(staging_, backend_->device().AllocatePinned(bytes, nullptr));
  }
  return std::span(reinterpret_cast<float*>(staging_.data()), bytes / sizeof(float));
}

absl::Status VaeNetwork::Load(VaeFrames& x, absl::FunctionRef<void(std::span<float>)> fill) {
  LT_ASSIGN_OR_RETURN(VaeFrame frame, pool_.Take(x.frame_floats()));
  LT_ASSIGN_OR_RETURN(const std::span<float> values, Staging(frame.size()));
  fill(values);
  backend_->device().CopyIn(backend_->lane(), frame.As<std::byte>(), std::as_bytes(values));
  x.frames.push_back(std::move(frame));
  return absl::OkStatus();
}

absl::StatusOr<std::span<const float>> VaeNetwork::Read(const VaeFrame& frame) {
  LT_ASSIGN_OR_RETURN(const std::span<float> values, Staging(frame.size()));
  backend_->device().CopyOut(backend_->lane(), std::as_writable_bytes(values),
                             frame.As<std::byte>());
  LT_RETURN_IF_ERROR(backend_->Await());
  return values;
}

void VaeNetwork::Release() {
  pool_.Clear();
  staging_ = {};
}

}  // namespace longtake
