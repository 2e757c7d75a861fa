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

void WidenRows(const std::byte* rows, DType dtype, int64_t count, float* out) {
  if (dtype == DType::kF32) {
    std::memcpy(out, rows, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  const auto* half = reinterpret_cast<const uint16_t*>(rows);
  for (int64_t i = 0; i < count; ++i) out[i] = Bf16ToFloat(half[i]);
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
  for (const TextItem& item : items_) rows_ += static_cast<int64_t>(item.ids.size());
  core_.in_sweep = true;
}

Umt5Sweep::~Umt5Sweep() { core_.in_sweep = false; }

absl::Status Umt5Sweep::Embed() {
  std::vector<int64_t> ids;
  for (const TextItem& item : items_) ids.insert(ids.end(), item.ids.begin(), item.ids.end());
  const int64_t count = rows_ * core_.config.d_model;
  const std::span<std::byte> stored =
      core_.hidden.span().first(static_cast<size_t>(count) * DTypeBytes(core_.table_dtype));
  LT_RETURN_IF_ERROR(core_.pack->ReadRows(kUmt5TokenTable, ids, stored));
  WidenRows(stored.data(), core_.table_dtype, count, residual());
  return absl::OkStatus();
}

absl::Status Umt5Sweep::RunLayer(int64_t layer, LayerLease& lease) {
  if (layer != next_layer_ || layer >= core_.config.layers) {
    return absl::FailedPreconditionError(
        absl::StrCat("text encoder: layer ", layer, " instead of ", next_layer_));
  }
  ++next_layer_;
  const Umt5BlockVectors& block = core_.blocks[static_cast<size_t>(layer)];
  LT_RETURN_IF_ERROR(SelfAttention(block, lease));
  return FeedForward(block, lease);
}

absl::Status Umt5Sweep::Head() {
  if (next_layer_ != core_.config.layers) {
    return absl::FailedPreconditionError("text encoder: head before the last layer");
  }
  const float* in = residual();
  for (const TextItem& item : items_) {
    const auto rows = static_cast<int64_t>(item.ids.size());
    backend_.RmsNorm({.in = in,
                      .rows = rows,
                      .width = core_.config.d_model,
                      .eps = static_cast<float>(core_.config.eps),
                      .gain = core_.final_gain,
                      .out = item.out});
    in += rows * core_.config.d_model;
  }
  return absl::OkStatus();
}

absl::Status Umt5Sweep::SelfAttention(const Umt5BlockVectors& block, LayerLease& lease) {
  const int64_t side = rows_ * core_.config.inner();
  Norm(block.attention_gain);
  LT_RETURN_IF_ERROR(Project(lease, kUmt5Q, {.in = normed(), .weight = {}, .out = hidden()}));
  LT_RETURN_IF_ERROR(
      Project(lease, kUmt5K, {.in = normed(), .weight = {}, .out = hidden() + side}));
  LT_RETURN_IF_ERROR(
      Project(lease, kUmt5V, {.in = normed(), .weight = {}, .out = hidden() + 2 * side}));
  Attend(block.position_bias);
  LT_RETURN_IF_ERROR(Project(lease, kUmt5Out, {.in = normed(), .weight = {}, .out = hidden()}));
  AddToResidual(hidden());
  return absl::OkStatus();
}

void Umt5Sweep::Attend(const float* position_bias) {
  const Umt5Config& config = core_.config;
  const int64_t side = rows_ * config.inner();
  int64_t row = 0;
  for (const TextItem& item : items_) {
    const auto tokens = static_cast<int64_t>(item.ids.size());
    FillBias(position_bias, tokens);
    const float* q = hidden() + row * config.inner();
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

void Umt5Sweep::FillBias(const float* position_bias, int64_t tokens) {
  const int64_t heads = core_.config.heads;
  std::vector<float> by_distance(static_cast<size_t>(2 * tokens));
  float* out = bias();
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t delta = 1 - tokens; delta < tokens; ++delta) {
      by_distance[static_cast<size_t>(delta + tokens - 1)] =
          position_bias[RelativeBucket(delta) * heads + head];
    }
    for (int64_t query = 0; query < tokens; ++query) {
      std::copy_n(by_distance.begin() + (tokens - 1 - query), tokens, out);
      out += tokens;
    }
  }
}

absl::Status Umt5Sweep::FeedForward(const Umt5BlockVectors& block, LayerLease& lease) {
  const int64_t side = rows_ * core_.config.d_ff;
  Norm(block.ffn_gain);
  LT_RETURN_IF_ERROR(Project(
      lease, kUmt5Gate,
      {.in = normed(), .weight = {}, .activation = Activation::kGeluTanh, .out = hidden()}));
  LT_RETURN_IF_ERROR(
      Project(lease, kUmt5Up, {.in = normed(), .weight = {}, .out = hidden() + side}));
  backend_.Multiply(hidden(), hidden() + side, side);
  LT_RETURN_IF_ERROR(Project(lease, kUmt5Down, {.in = hidden(), .weight = {}, .out = normed()}));
  AddToResidual(normed());
  return absl::OkStatus();
}

absl::Status Umt5Sweep::Project(LayerLease& lease, Umt5Matrix matrix, LinearArgs args) {
  const MatrixShape shape = Umt5MatrixShape(core_.config, matrix);
  LT_ASSIGN_OR_RETURN(args.weight, LeaseMatrix(lease, matrix, shape, /*scales=*/nullptr));
  args.rows = rows_;
  backend_.Linear(args);
  return absl::OkStatus();
}

void Umt5Sweep::Norm(const float* gain) {
  backend_.RmsNorm({.in = residual(),
                    .rows = rows_,
                    .width = core_.config.d_model,
                    .eps = static_cast<float>(core_.config.eps),
                    .gain = gain,
                    .out = normed()});
}

void Umt5Sweep::AddToResidual(const float* y) {
  backend_.GatedAdd({.x = residual(), .y = y, .rows = rows_, .width = core_.config.d_model});
}

}  // namespace longtake
