// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/umt5/encoder.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checked.h"
#include "engine/model/tensor_lookup.h"
#include "engine/model/umt5/relative_buckets.h"
#include "engine/model/umt5/sweep.h"

namespace longtake {
namespace {

constexpr int64_t kRowsMax = int64_t{1} << 20;  // keeps every buffer's size within 64 bits

struct BufferSizes {
  uint64_t residual = 0;
  uint64_t normed = 0;
  uint64_t hidden = 0;
  uint64_t bias = 0;
  uint64_t states = 0;
  uint64_t slots = 0;
  MemoryUse use() const {
    return {.host = states, .device = residual + normed + hidden + bias + slots};
  }
};

absl::Status CheckOption(const std::string& name, int64_t value) {
  if (value >= 1 && value <= kRowsMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("text encoder: ", name, " must be from 1 to ", kRowsMax));
}

absl::StatusOr<BufferSizes> SizeBuffers(const Umt5Config& config,
                                        const Umt5EncoderOptions& options) {
  LT_RETURN_IF_ERROR(CheckOption("tokens_max", options.tokens_max));
  LT_RETURN_IF_ERROR(CheckOption("prompt_tokens_max", options.prompt_tokens_max));
  const auto bytes = [](int64_t rows, int64_t width) {
    return static_cast<uint64_t>(rows) * static_cast<uint64_t>(width) * sizeof(float);
  };
  const int64_t rows = options.tokens_max;
  BufferSizes sizes;
  sizes.residual = bytes(rows, config.d_model);
  sizes.normed = bytes(rows, std::max(config.d_model, config.inner()));
  sizes.hidden = bytes(rows, std::max({config.d_model, 3 * config.inner(), 2 * config.d_ff}));
  sizes.states = sizes.residual;
  sizes.bias = bytes(options.prompt_tokens_max, options.prompt_tokens_max) *
               static_cast<uint64_t>(config.heads);
  sizes.slots = options.slots.count * options.slots.bytes;
  return sizes;
}

Umt5BlockVectors FindBlock(const Umt5Config& config, int64_t index, ParameterLookup& lookup) {
  const std::string layer = absl::StrCat("encoder.block.", index, ".layer.");
  return {.attention_gain = lookup.Vector(layer + "0.layer_norm.weight", config.d_model),
          .position_bias = lookup.Vector(layer + "0.SelfAttention.relative_attention_bias.weight",
                                         kRelativeBuckets * config.heads),
          .ffn_gain = lookup.Vector(layer + "1.layer_norm.weight", config.d_model)};
}

absl::Status FindTensors(const Umt5Config& config, Umt5Core& core) {
  ParameterLookup lookup(core.resident, core.kept);
  for (int64_t i = 0; i < config.layers; ++i) core.blocks.push_back(FindBlock(config, i, lookup));
  core.final_gain = lookup.Vector("encoder.final_layer_norm.weight", config.d_model);
  LT_RETURN_IF_ERROR(Annotate(lookup.status(), "text encoder"));
  LT_ASSIGN_OR_RETURN(const RowTableInfo* table, core.pack->FindRowTable(kUmt5TokenTable));
  const TensorInfo& tensor = table->tensor;
  if (tensor.shape != std::vector<int64_t>{config.vocab_size, config.d_model} ||
      (tensor.dtype != DType::kF32 && tensor.dtype != DType::kBf16)) {
    return absl::FailedPreconditionError(absl::StrCat("text encoder: tensor ", tensor.name,
                                                      ": expected [", config.vocab_size, ", ",
                                                      config.d_model, "] of F32 or BF16"));
  }
  core.table_dtype = tensor.dtype;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MemoryUse> Umt5Encoder::BufferBytes(const Umt5Config& config,
                                                   const Umt5EncoderOptions& options) {
  LT_ASSIGN_OR_RETURN(const BufferSizes sizes, SizeBuffers(config, options));
  return sizes.use();
}

absl::StatusOr<std::unique_ptr<Umt5Encoder>> Umt5Encoder::Create(
    const Umt5Config& config, const PackReader& pack, Backend& backend,
    const Umt5EncoderOptions& options) {
  LT_ASSIGN_OR_RETURN(const BufferSizes sizes, SizeBuffers(config, options));
  auto core = std::make_unique<Umt5Core>();
  core->config = config;
  core->options = options;
  core->pack = &pack;
  core->backend = &backend;
  LT_ASSIGN_OR_RETURN(core->resident, pack.LoadResident(options.populator));
  Device& device = backend.device();
  LT_ASSIGN_OR_RETURN(core->kept, device.Keep(core->resident.span(), options.populator));
  LT_RETURN_IF_ERROR(FindTensors(config, *core));
  LT_ASSIGN_OR_RETURN(core->slots, LayerSlots::Create(device, options.slots, options.populator));
  LT_ASSIGN_OR_RETURN(core->residual, device.Allocate(sizes.residual, options.populator));
  LT_ASSIGN_OR_RETURN(core->normed, device.Allocate(sizes.normed, options.populator));
  LT_ASSIGN_OR_RETURN(core->hidden, device.Allocate(sizes.hidden, options.populator));
  LT_ASSIGN_OR_RETURN(core->bias, device.Allocate(sizes.bias, options.populator));
  LT_ASSIGN_OR_RETURN(core->states, device.AllocatePinned(sizes.states, options.populator));
  return std::unique_ptr<Umt5Encoder>(new Umt5Encoder(std::move(core)));
}

Umt5Encoder::Umt5Encoder(std::unique_ptr<Umt5Core> core) : core_(std::move(core)) {}

Umt5Encoder::~Umt5Encoder() { LT_CHECK(!core_->in_sweep); }

const Umt5Config& Umt5Encoder::config() const { return core_->config; }

uint64_t Umt5Encoder::buffer_bytes() const {
  return core_->residual.size() + core_->normed.size() + core_->hidden.size() + core_->bias.size() +
         core_->states.size();
}

absl::StatusOr<std::unique_ptr<ModelSweep>> Umt5Encoder::NewSweep(std::span<const TextItem> items) {
  return Umt5Sweep::Create(*core_, items);
}

}  // namespace longtake
