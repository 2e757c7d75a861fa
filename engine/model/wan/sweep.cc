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
      kv_(*core.backend, kv_stream),
      width_(core.config.width()),
      rows_(stack_.rows),
      next_layer_(core.layers.first),
      segments_(stack_.items.size()) {
  core_.in_sweep = true;
  attention_.reserve(stack_.items.size());
}

// What a sweep that was dropped has put into the lane is done before its memory is used again or
// what it borrowed goes; an error will be told to the next one.
WanSweep::~WanSweep() {
  backend_.Await().IgnoreError();
  core_.in_sweep = false;
}

absl::Status WanSweep::Embed() {
  if (core_.layers.first != 0) {
    return absl::FailedPreconditionError("transformer: only the first stage embeds");
  }
  LT_RETURN_IF_ERROR(BeginKv());
  EmbedPatches();
  return EmbedTimes();
}

absl::Status WanSweep::Receive(std::span<const float> activations) {
  if (std::ssize(activations) != rows_ * width_) {
    return absl::InvalidArgumentError(absl::StrCat("transformer: activations of ",
                                                   activations.size(), " values for ", rows_,
                                                   " rows of ", width_));
  }
  LT_RETURN_IF_ERROR(BeginKv());
  backend_.device().CopyIn(backend_.lane(), core_.residual.As<std::byte>(),
                           std::as_bytes(activations));
  LT_RETURN_IF_ERROR(EmbedTimes());
  return backend_.Await();  // the caller's memory
}

absl::Status WanSweep::Send(std::vector<float>* activations) {
  if (next_layer_ != core_.layers.end || next_layer_ == core_.config.layers) {
    return absl::FailedPreconditionError("transformer: nothing to send at this layer");
  }
  LT_RETURN_IF_ERROR(kv_.Finish());
  activations->resize(static_cast<size_t>(rows_ * width_));
  backend_.device().CopyOut(backend_.lane(), std::as_writable_bytes(std::span(*activations)),
                            core_.residual.As<std::byte>());
  return backend_.Await();
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

// Of the stack's rows, in the memory that copies reach.
std::span<float> WanSweep::Patches() {
  const auto values = static_cast<size_t>(rows_ * core_.config.patch_values());
  return {reinterpret_cast<float*>(core_.patches.data()), values};
}

void WanSweep::EmbedPatches() {
  const int64_t values = core_.config.patch_values();
  const std::span<float> patches = Patches();
  for (const PlacedItem& item : stack_.items) {
    const VideoItem& video = item.video;
    Patchify({core_.config.channels, video.frames, video.height, video.width}, video.latents,
             patches.data() + item.row * values);
  }
  backend_.device().CopyIn(backend_.lane(), core_.hidden.As<std::byte>(), std::as_bytes(patches));
  backend_.Linear({.in = hidden(),
                   .rows = rows_,
                   .weight = core_.weights.patch,
                   .bias = core_.weights.patch_bias,
                   .out = residual()});
}

// And the texts after them: they take the memory of the patches.
absl::Status WanSweep::EmbedTimes() {
  LT_RETURN_IF_ERROR(core_.time.Embed(backend_, stack_.timesteps));
  const uint64_t lines = 6 * stack_.timesteps.size();  // of a block, more than of the head
  const uint64_t bytes = lines * static_cast<uint64_t>(width_) * sizeof(float);
  if (core_.modulation.size() < bytes) {
    LT_ASSIGN_OR_RETURN(core_.modulation, backend_.device().Allocate(bytes, nullptr));
  }
  EmbedTexts();
  return absl::OkStatus();
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

absl::Status WanSweep::RunLayer(int64_t layer, LayerWeights& weights) {
  if (layer != next_layer_ || layer >= core_.layers.end) {
    return absl::FailedPreconditionError(
        absl::StrCat("transformer: layer ", layer, " instead of ", next_layer_));
  }
  ++next_layer_;
  const int64_t kv_layer = layer - core_.layers.first;
  LT_RETURN_IF_ERROR(
      RunBlock({kv_layer, core_.weights.blocks[static_cast<size_t>(layer)], weights}));
  LT_RETURN_IF_ERROR(kv_.EndLayer(kv_layer));
  if (next_layer_ == core_.layers.end && !stack_.new_texts.empty()) {
    LT_RETURN_IF_ERROR(backend_.Await());
    for (TextContext* context : stack_.new_texts) context->MarkReady();
  }
  return absl::OkStatus();
}

absl::Status WanSweep::Head() {
  if (next_layer_ != core_.config.layers) {
    return absl::FailedPreconditionError("transformer: head before the last layer");
  }
  LT_RETURN_IF_ERROR(kv_.Finish());
  if (rows_ == 0) return backend_.Await();  // the K/V that it wrote
  Modulate({.table = core_.weights.head_modulation,
            .embedding = core_.time.head(),
            .in_width = width_,
            .lines = 2});
  NormModulated({.shift = 0, .scale = 1});
  backend_.Linear({.in = normed(),
                   .rows = rows_,
                   .weight = core_.weights.head,
                   .bias = core_.weights.head_bias,
                   .out = hidden()});
  const std::span<float> patches = Patches();
  backend_.device().CopyOut(backend_.lane(), std::as_writable_bytes(patches),
                            core_.hidden.As<std::byte>());
  LT_RETURN_IF_ERROR(backend_.Await());
  for (const PlacedItem& item : stack_.items) {
    const VideoItem& video = item.video;
    if (video.flow == nullptr) break;  // those without a flow come last (items.h)
    Unpatchify({core_.config.channels, video.frames, video.height, video.width},
               patches.data() + item.row * core_.config.patch_values(), video.flow);
  }
  return absl::OkStatus();
}

}  // namespace longtake
