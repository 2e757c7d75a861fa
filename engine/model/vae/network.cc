// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/block.h"

namespace longtake {
namespace {

std::unique_ptr<VaeBlock> MakeBlock(const VaeBlockSource& source) {
  switch (source.stage.kind) {
    case VaeStageKind::kPointwise:
    case VaeStageKind::kConv:
      return MakeVaeConv(source);
    case VaeStageKind::kRes:
      return MakeVaeRes(source);
    case VaeStageKind::kAttention:
      return MakeVaeAttention(source);
    case VaeStageKind::kUp2d:
    case VaeStageKind::kUp3d:
      return MakeVaeUp(source);
    case VaeStageKind::kDown2d:
    case VaeStageKind::kDown3d:
      return MakeVaeDown(source);
    case VaeStageKind::kHead:
      return MakeVaeHead(source);
    case VaeStageKind::kPlainConv:
    case VaeStageKind::kPlainUp:
      return MakePlainConv(source);
    case VaeStageKind::kGrow:
      return MakeGrow(source);
    case VaeStageKind::kMemory:
      return MakeMemory(source);
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<ConvWeights> VaeBlockSource::Pack(const ConvShape& shape, const void* weights,
                                                  DType dtype, const float* bias) const {
  auto packed = backend.PackConv(shape, weights, dtype, bias);
  if (packed.ok()) return *std::move(packed);
  lookup.Fail(Annotate(packed.status(), stage.prefix));
  return nullptr;
}

absl::StatusOr<VaeNetwork> VaeNetwork::Create(const std::vector<VaeStage>& stages,
                                              const ResidentSection& section, Backend& backend) {
  VaeNetwork network(backend);
  network.stages_ = stages;
  ResidentLookup lookup(section);
  size_t slot = 0;
  for (const VaeStage& stage : stages) {
    network.blocks_.push_back(MakeBlock({stage, slot, lookup, backend}));
    slot += VaeSlotCount(stage);
    LT_RETURN_IF_ERROR(lookup.status());
  }
  return network;
}

absl::Status VaeNetwork::Prepare(const VaeCache& cache, int64_t height, int64_t width) {
  LT_RETURN_IF_ERROR(CheckVaeCache(cache, stages_, height, width));
  if (height != height_ || width != width_) pool_.Clear();
  height_ = height;
  width_ = width;
  return absl::OkStatus();
}

absl::Status VaeNetwork::Run(VaeCache& cache, VaeFrames& x,
                             const std::function<bool()>& keep_going) {
  if (cache.slots.empty()) {
    cache.height = height_;
    cache.width = width_;
    cache.slots.resize(VaeSlots(stages_, height_, width_).size());
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
