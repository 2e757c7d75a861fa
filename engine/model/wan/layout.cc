// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/layout.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

// Published names, in the order of WanMatrix.
constexpr const char* kMatrixNames[] = {
    "attn2.to_k",     "attn2.to_v", "attn1.to_k",     "attn1.to_v",     "attn1.to_q",
    "attn1.to_out.0", "attn2.to_q", "attn2.to_out.0", "ffn.net.0.proj", "ffn.net.2",
};
static_assert(std::size(kMatrixNames) == kWanMatrixCount);

std::vector<TensorSpec> BlockMatrices(const WanConfig& config, const std::string& block) {
  std::vector<TensorSpec> matrices;
  for (size_t i = 0; i < kWanMatrixCount; ++i) {
    const MatrixShape shape = WanMatrixShape(config, static_cast<WanMatrix>(i));
    matrices.push_back({.name = WanMatrixName(block, static_cast<WanMatrix>(i)),
                        .shape = {shape.out_features, shape.in_features}});
  }
  return matrices;
}

void AddBlockVectors(const WanConfig& config, const std::string& block,
                     std::vector<TensorSpec>* out) {
  const int64_t d = config.width();
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    out->push_back({.name = block + name, .shape = std::move(shape), .keep_f32 = true});
  };
  add("scale_shift_table", {1, 6, d});
  for (const std::string attention : {"attn1.", "attn2."}) {
    for (const std::string name : {"to_q", "to_k", "to_v", "to_out.0"}) {
      add(attention + name + ".bias", {d});
    }
    add(attention + "norm_q.weight", {d});
    add(attention + "norm_k.weight", {d});
  }
  if (config.cross_attn_norm) {
    add("norm2.weight", {d});
    add("norm2.bias", {d});
  }
  add("ffn.net.0.proj.bias", {config.ffn_dim});
  add("ffn.net.2.bias", {d});
}

void AddGlobals(const WanConfig& config, std::vector<TensorSpec>* out) {
  const int64_t d = config.width();
  const auto linear = [&](const std::string& name, std::vector<int64_t> shape, bool keep_f32) {
    const int64_t out_features = shape[0];
    out->push_back({.name = name + ".weight", .shape = std::move(shape), .keep_f32 = keep_f32});
    out->push_back({.name = name + ".bias", .shape = {out_features}, .keep_f32 = true});
  };
  linear("patch_embedding", {d, config.channels, 1, 2, 2}, false);
  linear("condition_embedder.time_embedder.linear_1", {d, config.freq_dim}, true);
  linear("condition_embedder.time_embedder.linear_2", {d, d}, true);
  linear("condition_embedder.time_proj", {6 * d, d}, false);
  linear("condition_embedder.text_embedder.linear_1", {d, config.text_dim}, false);
  linear("condition_embedder.text_embedder.linear_2", {d, d}, false);
  out->push_back({.name = "scale_shift_table", .shape = {1, 2, d}, .keep_f32 = true});
  linear("proj_out", {config.patch_values(), d}, false);
}

}  // namespace

std::string WanMatrixName(const std::string& block, WanMatrix matrix) {
  return block + kMatrixNames[matrix] + ".weight";
}

MatrixShape WanMatrixShape(const WanConfig& config, WanMatrix matrix) {
  if (matrix == kWanFfnUp) return {config.ffn_dim, config.width()};
  if (matrix == kWanFfnDown) return {config.width(), config.ffn_dim};
  return {config.width(), config.width()};
}

ComponentLayout WanLayout(const WanConfig& config) {
  ComponentLayout layout;
  layout.component = "transformer";
  AddGlobals(config, &layout.resident);
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string block = absl::StrCat("blocks.", i, ".");
    AddBlockVectors(config, block, &layout.resident);
    layout.layers.push_back(BlockMatrices(config, block));
  }
  return layout;
}

}  // namespace longtake
