// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/transformer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "engine/model/wan/core.h"
#include "engine/model/wan/sweep.h"

namespace longtake {
namespace {

constexpr int64_t kRowsMax = int64_t{1} << 24;  // keeps every buffer's size within 64 bits

struct BufferSizes {
  uint64_t residual = 0;
  uint64_t normed = 0;
  uint64_t hidden = 0;
  uint64_t text = 0;
  uint64_t patches = 0;
  uint64_t slots = 0;
  MemoryUse use() const {
    return {.host = patches, .device = residual + normed + hidden + text + slots};
  }
};

absl::Status CheckOption(const std::string& name, int64_t value, int64_t min) {
  if (value >= min && value <= kRowsMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("transformer: ", name, " must be from ", min, " to ", kRowsMax));
}

absl::StatusOr<BufferSizes> SizeBuffers(const WanConfig& config,
                                        const WanTransformerOptions& options) {
  LT_RETURN_IF_ERROR(CheckOption("tokens_max", options.tokens_max, 1));
  LT_RETURN_IF_ERROR(CheckOption("prompt_rows_max", options.prompt_rows_max, 1));
  LT_RETURN_IF_ERROR(CheckOption("text_rows", options.text_rows, 1));
  const int64_t inner = std::max({3 * config.width(), config.ffn_dim, config.patch_values()});
  const auto bytes = [](int64_t rows, int64_t width) {
    return static_cast<uint64_t>(rows) * static_cast<uint64_t>(width) * sizeof(float);
  };
  BufferSizes sizes;
  sizes.residual = bytes(options.tokens_max, config.width());
  sizes.normed = sizes.residual;
  sizes.hidden = std::max(bytes(options.tokens_max, inner),
                          bytes(options.prompt_rows_max, 2 * config.width()));
  sizes.text = bytes(options.prompt_rows_max, config.width());
  sizes.patches = bytes(options.tokens_max, config.patch_values());
  sizes.slots = options.slots.count * options.slots.bytes;
  return sizes;
}

}  // namespace

absl::StatusOr<MemoryUse> WanTransformer::BufferBytes(const WanConfig& config,
                                                      const WanTransformerOptions& options) {
  LT_ASSIGN_OR_RETURN(const BufferSizes sizes, SizeBuffers(config, options));
  return sizes.use();
}

absl::StatusOr<std::unique_ptr<WanTransformer>> WanTransformer::Create(
    const WanConfig& config, ResidentSection resident, Backend& backend,
    const WanTransformerOptions& options) {
  LT_ASSIGN_OR_RETURN(const BufferSizes sizes, SizeBuffers(config, options));
  if (options.kv_dtype != DType::kF32 && options.kv_dtype != DType::kBf16) {
    return absl::InvalidArgumentError("transformer: kv_dtype must be F32 or BF16");
  }
  const LayerRange layers = options.layers.Of(config.layers);
  if (layers.first < 0 || layers.count() < 1) {
    return absl::InvalidArgumentError(absl::StrCat("transformer: layers ", layers.first, " to ",
                                                   layers.end - 1, " of ", config.layers));
  }
  // A moved section keeps its memory, so what is found here stays where it is.
  LT_ASSIGN_OR_RETURN(DeviceBuffer kept, backend.device().Keep(resident.span(), options.populator));
  ParameterLookup lookup(resident, kept);
  WanWeights weights = FindWanWeights(config, lookup);
  TimeEmbedder time(config, lookup);
  LT_RETURN_IF_ERROR(Annotate(lookup.status(), "transformer"));
  auto core = std::unique_ptr<WanCore>(new WanCore{
      .config = config,
      .options = options,
      .layers = layers,
      .resident = std::move(resident),
      .kept = std::move(kept),
      .weights = std::move(weights),
      .time = std::move(time),
      .rotary = RotaryTables(backend, config.head_dim),
      .backend = &backend,
      .slots = {},
      .residual = {},
      .normed = {},
      .hidden = {},
      .modulation = {},
      .text = {},
      .patches = {},
  });
  Device& device = backend.device();
  LT_ASSIGN_OR_RETURN(core->slots, LayerSlots::Create(device, options.slots, options.populator));
  LT_ASSIGN_OR_RETURN(core->residual, device.Allocate(sizes.residual, options.populator));
  LT_ASSIGN_OR_RETURN(core->normed, device.Allocate(sizes.normed, options.populator));
  LT_ASSIGN_OR_RETURN(core->hidden, device.Allocate(sizes.hidden, options.populator));
  LT_ASSIGN_OR_RETURN(core->text, device.Allocate(sizes.text, options.populator));
  LT_ASSIGN_OR_RETURN(core->patches, device.AllocatePinned(sizes.patches, options.populator));
  return std::unique_ptr<WanTransformer>(new WanTransformer(std::move(core)));
}

WanTransformer::WanTransformer(std::unique_ptr<WanCore> core) : core_(std::move(core)) {}

WanTransformer::~WanTransformer() { LT_CHECK(!core_->in_sweep); }

const WanConfig& WanTransformer::config() const { return core_->config; }

const LayerRange& WanTransformer::layers() const { return core_->layers; }

uint64_t WanTransformer::buffer_bytes() const {
  return core_->residual.size() + core_->normed.size() + core_->hidden.size() + core_->text.size() +
         core_->patches.size();
}

KvLayout WanTransformer::kv_layout(int64_t height, int64_t width) const {
  return {.layers = core_->layers.count(),
          .rows = TokenGrid::FromLatents(height, width).tokens(),
          .width = core_->config.width(),
          .dtype = core_->options.kv_dtype};
}

Device& WanTransformer::device() const { return core_->backend->device(); }

uint64_t WanTransformer::RotaryFrameBytes(int64_t height, int64_t width) const {
  const int64_t tokens = TokenGrid::FromLatents(height, width).tokens();
  return static_cast<uint64_t>(tokens * core_->config.head_dim) * sizeof(float);
}

TextContextShape WanTransformer::text_shape(int64_t tokens) const {
  return {.layers = core_->layers.count(),
          .width = core_->config.width(),
          .text_dim = core_->config.text_dim,
          .tokens = tokens,
          .text_rows = core_->options.text_rows,
          .dtype = core_->options.kv_dtype};
}

absl::StatusOr<std::unique_ptr<TextContext>> WanTransformer::NewTextContext(
    std::span<const float> states, int64_t tokens) const {
  return TextContext::Create(*core_->backend, text_shape(tokens), states);
}

absl::StatusOr<std::unique_ptr<ModelSweep>> WanTransformer::NewSweep(
    std::span<const VideoItem> items, KvStream* kv_stream) {
  return WanSweep::Create(*core_, items, kv_stream);
}

}  // namespace longtake
