// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/umt5/layout.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/model/umt5/relative_buckets.h"

namespace longtake {
namespace {

// Published names, in the order of Umt5Matrix.
constexpr const char* kMatrixNames[] = {
    "layer.0.SelfAttention.q",   "layer.0.SelfAttention.k",     "layer.0.SelfAttention.v",
    "layer.0.SelfAttention.o",   "layer.1.DenseReluDense.wi_0", "layer.1.DenseReluDense.wi_1",
    "layer.1.DenseReluDense.wo",
};
static_assert(std::size(kMatrixNames) == kUmt5MatrixCount);

std::vector<TensorSpec> BlockMatrices(const Umt5Config& config, const std::string& block) {
  std::vector<TensorSpec> matrices;
  for (size_t i = 0; i < kUmt5MatrixCount; ++i) {
    const MatrixShape shape = Umt5MatrixShape(config, static_cast<Umt5Matrix>(i));
    matrices.push_back({.name = block + kMatrixNames[i] + ".weight",
                        .shape = {shape.out_features, shape.in_features}});
  }
  return matrices;
}

}  // namespace

MatrixShape Umt5MatrixShape(const Umt5Config& config, Umt5Matrix matrix) {
  switch (matrix) {
    case kUmt5Out:
      return {config.d_model, config.inner()};
    case kUmt5Gate:
    case kUmt5Up:
      return {config.d_ff, config.d_model};
    case kUmt5Down:
      return {config.d_model, config.d_ff};
    default:
      return {config.inner(), config.d_model};
  }
}

ComponentLayout Umt5Layout(const Umt5Config& config) {
  ComponentLayout layout;
  layout.component = "text_encoder";
  layout.row_tables.push_back(
      {.name = kUmt5TokenTable, .shape = {config.vocab_size, config.d_model}});
  layout.aliases.push_back({.name = "encoder.embed_tokens.weight", .of = kUmt5TokenTable});
  const auto resident = [&layout](const std::string& name, std::vector<int64_t> shape) {
    layout.resident.push_back({.name = name, .shape = std::move(shape), .keep_f32 = true});
  };
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string block = absl::StrCat("encoder.block.", i, ".");
    resident(block + "layer.0.layer_norm.weight", {config.d_model});
    resident(block + "layer.0.SelfAttention.relative_attention_bias.weight",
             {kRelativeBuckets, config.heads});
    resident(block + "layer.1.layer_norm.weight", {config.d_model});
    layout.layers.push_back(BlockMatrices(config, block));
  }
  resident("encoder.final_layer_norm.weight", {config.d_model});
  return layout;
}

}  // namespace longtake
