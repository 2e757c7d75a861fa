// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/umt5/sweep.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/model/tensor_lookup.h"
#include "engine/model/umt5/relative_buckets.h"

namespace longtake {
namespace {

absl::Status CheckItem(const Umt5Core& core, const TextItem& item, size_t index) {
  const auto bad = [index](const std::string& problem) {
    return absl::InvalidArgumentError(absl::StrCat("prompt ", index, ": ", problem));
  };
  if (item.ids.empty() || item.out == nullptr) return bad("ids or out missing");
  if (item.ids.size() > static_cast<size_t>(core.options.prompt_tokens_max)) {
    return absl::ResourceExhaustedError(absl::StrCat("prompt ", index, ": ", item.ids.size(),
                                                     " tokens, at most ",
                                                     core.options.prompt_tokens_max));
  }
  for (int32_t id : item.ids) {
    if (id < 0 || id >= core.config.vocab_size) {
      return bad(
          absl::StrCat("token ", id, " is not in the vocabulary of ", core.config.vocab_size));
    }
  }
  return absl::OkStatus();
}

// values whose last bytes are as many bf16 values. Each is read before it is written over.
void WidenInPlace(std::span<float> values) {
  const auto* half = reinterpret_cast<const std::byte*>(values.data() + values.size()) -
                     values.size() * sizeof(uint16_t);
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t narrow;
    std::memcpy(&narrow, half + i * sizeof(narrow), sizeof(narrow));
    values[i] = Bf16ToFloat(narrow);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelSweep>> Umt5Sweep::Create(Umt5Core& core,
                                                              std::span<const TextItem> items) {
  if (core.in_sweep) return absl::FailedPreconditionError("text encoder: a sweep is under way");
  if (items.empty()) return absl::InvalidArgumentError("a sweep without prompts");
  int64_t tokens = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    LT_RETURN_IF_ERROR(CheckItem(core, items[i], i));
    tokens += static_cast<int64_t>(items[i].ids.size());
    if (tokens > core.options.tokens_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("prompts of more than ", core.options.tokens_max, " tokens in one sweep"));
    }
  }
  return std::unique_ptr<ModelSweep>(new Umt5Sweep(core, items));
}

Umt5Sweep::Umt5Sweep(Umt5Core& core, std::span<const TextItem> items)
    : core_(core), backend_(*core.backend), items_(items.begin(), items.end()) {
  int64_t longest = 0;
  for (const TextItem& item : items_) {
    rows_ += static_cast<int64_t>(item.ids.size());
    longest = std::max(longest, static_cast<int64_t>(item.ids.size()));
  }
  for (int64_t distance = 1 - longest; distance < longest; ++distance) {
    buckets_.push_back(static_cast<int32_t>(RelativeBucket(distance)));
  }
  core_.in_sweep = true;
}

// What a sweep that was dropped has put into the lane is done before its memory is used again; an
// error will be told to the next one.
Umt5Sweep::~Umt5Sweep() {
  backend_.Await().IgnoreError();
  core_.in_sweep = false;
}

std::span<float> Umt5Sweep::States() {
  const auto values = static_cast<size_t>(rows_ * core_.config.d_model);
  return {reinterpret_cast<float*>(core_.states.data()), values};
}

absl::Status Umt5Sweep::Embed() {
  std::vector<int64_t> ids;
  for (const TextItem& item : items_) ids.insert(ids.end(), item.ids.begin(), item.ids.end());
  const std::span<float> rows = States();
  const std::span<std::byte> stored =
      std::as_writable_bytes(rows).last(rows.size() * DTypeBytes(core_.table_dtype));
  LT_RETURN_IF_ERROR(core_.pack->ReadRows(kUmt5TokenTable, ids, stored));
  if (core_.table_dtype == DType::kBf16) WidenInPlace(rows);
  backend_.device().CopyIn(backend_.lane(), core_.residual.As<std::byte>(), std::as_bytes(rows));
  return absl::OkStatus();
}

absl::Status Umt5Sweep::RunLayer(int64_t layer, LayerWeights& weights) {
  if (layer != next_layer_ || layer >= core_.config.layers) {
    return absl::FailedPreconditionError(
        absl::StrCat("text encoder: layer ", layer, " instead of ", next_layer_));
  }
  ++next_layer_;
  const Umt5BlockVectors& block = core_.blocks[static_cast<size_t>(layer)];
  LT_RETURN_IF_ERROR(SelfAttention(block, weights));
  return FeedForward(block, weights);
}

absl::Status Umt5Sweep::Head() {
  if (next_layer_ != core_.config.layers) {
    return absl::FailedPreconditionError("text encoder: head before the last layer");
  }
  backend_.RmsNorm({.in = residual(),
                    .rows = rows_,
                    .width = core_.config.d_model,
                    .eps = static_cast<float>(core_.config.eps),
                    .gain = core_.final_gain,
                    .out = hidden()});
  const std::span<float> states = States();
  backend_.device().CopyOut(backend_.lane(), std::as_writable_bytes(states),
                            core_.hidden.As<std::byte>());
  LT_RETURN_IF_ERROR(backend_.Await());
  auto next = states.begin();
  for (const TextItem& item : items_) {
    const auto values = static_cast<int64_t>(item.ids.size()) * core_.config.d_model;
    std::copy_n(next, values, item.out);
    next += values;
  }
  return absl::OkStatus();
}

absl::Status Umt5Sweep::SelfAttention(const Umt5BlockVectors& block, LayerWeights& weights) {
  const int64_t side = rows_ * core_.config.inner();
  Norm(block.attention_gain);
  LT_RETURN_IF_ERROR(Project(weights, kUmt5Q, {.in = normed(), .weight = {}, .out = hidden()}));
  LT_RETURN_IF_ERROR(
      Project(weights, kUmt5K, {.in = normed(), .weight = {}, .out = hidden() + side}));
  LT_RETURN_IF_ERROR(
      Project(weights, kUmt5V, {.in = normed(), .weight = {}, .out = hidden() + 2 * side}));
  Attend(block.position_bias);
  LT_RETURN_IF_ERROR(Project(weights, kUmt5Out, {.in = normed(), .weight = {}, .out = hidden()}));
  AddToResidual(hidden());
  return absl::OkStatus();
}

void Umt5Sweep::Attend(DevicePtr<const float> position_bias) {
  const Umt5Config& config = core_.config;
  const int64_t side = rows_ * config.inner();
  int64_t row = 0;
  for (const TextItem& item : items_) {
    const auto tokens = static_cast<int64_t>(item.ids.size());
    const auto longest = (std::ssize(buckets_) + 1) / 2;
    const std::span<const int32_t> buckets(buckets_);
    backend_.DistanceBias({.table = position_bias,
                           .buckets = buckets.subspan(static_cast<size_t>(longest - tokens),
                                                      static_cast<size_t>(2 * tokens - 1)),
                           .heads = config.heads,
                           .rows = tokens,
                           .out = bias()});
    const DevicePtr<float> q = hidden() + row * config.inner();
    const KeySegment keys{.k = q + side, .v = q + 2 * side, .dtype = DType::kF32, .rows = tokens};
    const AttentionArgs args{.q = q,
                             .rows = tokens,
                             .heads = config.heads,
                             .head_dim = config.d_kv,
                             .keys = {&keys, 1},
                             .scale = 1.0f,
                             .bias = bias(),
                             .out = normed() + row * config.inner()};
    backend_.Attention({&args, 1});
    row += tokens;
  }
}

absl::Status Umt5Sweep::FeedForward(const Umt5BlockVectors& block, LayerWeights& weights) {
  const int64_t side = rows_ * core_.config.d_ff;
  Norm(block.ffn_gain);
  LT_RETURN_IF_ERROR(Project(
      weights, kUmt5Gate,
      {.in = normed(), .weight = {}, .activation = Activation::kGeluTanh, .out = hidden()}));
  LT_RETURN_IF_ERROR(
      Project(weights, kUmt5Up, {.in = normed(), .weight = {}, .out = hidden() + side}));
  backend_.Multiply(hidden(), hidden() + side, side);
  LT_RETURN_IF_ERROR(Project(weights, kUmt5Down, {.in = hidden(), .weight = {}, .out = normed()}));
  AddToResidual(normed());
  return absl::OkStatus();
}

absl::Status Umt5Sweep::Project(LayerWeights& weights, Umt5Matrix matrix, LinearArgs args) {
  const MatrixShape shape = Umt5MatrixShape(core_.config, matrix);
  LT_ASSIGN_OR_RETURN(args.weight, weights.Matrix(matrix, shape, /*scales=*/{}));
  args.rows = rows_;
  backend_.Linear(args);
  return absl::OkStatus();
}

void Umt5Sweep::Norm(DevicePtr<const float> gain) {
  backend_.RmsNorm({.in = residual(),
                    .rows = rows_,
                    .width = core_.config.d_model,
                    .eps = static_cast<float>(core_.config.eps),
                    .gain = gain,
                    .out = normed()});
}

void Umt5Sweep::AddToResidual(DevicePtr<const float> y) {
  backend_.GatedAdd({.x = residual(), .y = y, .rows = rows_, .width = core_.config.d_model});
}

}  // namespace longtake
