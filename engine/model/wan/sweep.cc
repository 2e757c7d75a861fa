// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/sweep.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/model/wan/patches.h"

namespace longtake {

absl::StatusOr<std::unique_ptr<ModelSweep>> WanSweep::Create(WanCore& core,
                                                             std::span<const VideoItem> items,
                                                             KvStream* kv_stream) {
  if (core.in_sweep) return absl::FailedPreconditionError("transformer: a sweep is under way");
  LT_ASSIGN_OR_RETURN(WanStack stack, PlaceItems(core, items));
  return std::unique_ptr<ModelSweep>(new WanSweep(core, std::move(stack), kv_stream));
}

WanSweep::WanSweep(WanCore& core, WanStack stack, KvStream* kv_stream)
    : core_(core),
      backend_(*core.backend),
      stack_(std::move(stack)),
      kv_(kv_stream),
      width_(core.config.width()),
      rows_(stack_.rows),
      next_layer_(core.layers.first),
      segments_(stack_.items.size()) {
  core_.in_sweep = true;
  attention_.reserve(stack_.items.size());
}

WanSweep::~WanSweep() { core_.in_sweep = false; }

absl::Status WanSweep::Embed() {
  if (core_.layers.first != 0) {
    return absl::FailedPreconditionError("transformer: only the first stage embeds");
  }
  LT_RETURN_IF_ERROR(BeginKv());
  EmbedPatches();
  core_.time.Embed(backend_, stack_.times);
  EmbedTexts();
  return absl::OkStatus();
}

absl::Status WanSweep::Receive(std::span<const float> activations) {
  if (std::ssize(activations) != rows_ * width_) {
    return absl::InvalidArgumentError(absl::StrCat("transformer: activations of ",
                                                   activations.size(), " values for ", rows_,
                                                   " rows of ", width_));
  }
  LT_RETURN_IF_ERROR(BeginKv());
  std::copy(activations.begin(), activations.end(), residual());
  core_.time.Embed(backend_, stack_.times);
  EmbedTexts();
  return absl::OkStatus();
}

absl::Status WanSweep::Send(std::vector<float>* activations) {
  if (next_layer_ != core_.layers.end || next_layer_ == core_.config.layers) {
    return absl::FailedPreconditionError("transformer: nothing to send at this layer");
  }
  LT_RETURN_IF_ERROR(kv_.Finish());
  activations->assign(residual(), residual() + rows_ * width_);
  return absl::OkStatus();
}

absl::Status WanSweep::BeginKv() {
  std::vector<const KvFrame*> read;
  std::vector<KvFrame*> written;
  for (const PlacedItem& item : stack_.items) {
    for (const ContextFrame& context : item.video.context) read.push_back(context.frame);
    std::copy_if(item.video.writes.begin(), item.video.writes.end(), std::back_inserter(written),
                 [](const KvFrame* frame) { return frame != nullptr; });
  }
  return kv_.Begin(read, written, core_.layers.count());
}

void WanSweep::EmbedPatches() {
  const int64_t values = core_.config.patch_values();
  for (const PlacedItem& item : stack_.items) {
    const VideoItem& video = item.video;
    Patchify({core_.config.channels, video.frames, video.height, video.width}, video.latents,
             hidden() + item.row * values);
  }
  backend_.Linear({.in = hidden(),
                   .rows = rows_,
                   .weight = core_.weights.patch,
                   .bias = core_.weights.patch_bias,
                   .out = residual()});
}

void WanSweep::EmbedTexts() {
  int64_t row = 0;
  for (const TextContext* context : stack_.new_texts) {
    backend_.Linear({.in = context->states(),
                     .rows = context->rows(),
                     .weight = core_.weights.text_in,
                     .bias = core_.weights.text_in_bias,
                     .activation = Activation::kGeluTanh,
                     .out = hidden() + row * width_});
    row += context->rows();
  }
  if (row == 0) return;
  backend_.Linear({.in = hidden(),
                   .rows = row,
                   .weight = core_.weights.text_out,
                   .bias = core_.weights.text_out_bias,
                   .out = text()});
}

absl::Status WanSweep::RunLayer(int64_t layer, LayerLease& lease) {
  if (layer != next_layer_ || layer >= core_.layers.end) {
    return absl::FailedPreconditionError(
        absl::StrCat("transformer: layer ", layer, " instead of ", next_layer_));
  }
  ++next_layer_;
  const int64_t kv_layer = layer - core_.layers.first;
  LT_RETURN_IF_ERROR(RunBlock({kv_layer, core_.weights.blocks[static_cast<size_t>(layer)], lease}));
  kv_.EndLayer(kv_layer);
  if (next_layer_ == core_.layers.end) {
    for (TextContext* context : stack_.new_texts) context->MarkReady();
  }
  return absl::OkStatus();
}

absl::Status WanSweep::Head() {
  if (next_layer_ != core_.config.layers) {
    return absl::FailedPreconditionError("transformer: head before the last layer");
  }
  LT_RETURN_IF_ERROR(kv_.Finish());
  if (rows_ == 0) return absl::OkStatus();
  Modulate(core_.weights.head_modulation, stack_.times.head, 2);
  NormModulated({.shift = 0, .scale = 1});
  backend_.Linear({.in = normed(),
                   .rows = rows_,
                   .weight = core_.weights.head,
                   .bias = core_.weights.head_bias,
                   .out = hidden()});
  for (const PlacedItem& item : stack_.items) {
    const VideoItem& video = item.video;
    if (video.flow == nullptr) break;  // those without a flow come last (items.h)
    Unpatchify({core_.config.channels, video.frames, video.height, video.width},
               hidden() + item.row * core_.config.patch_values(), video.flow);
  }
  return absl::OkStatus();
}

}  // namespace longtake
