// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/weights.h"

#include "absl/strings/str_cat.h"

namespace longtake {
namespace {

WanAttentionVectors FindAttention(const std::string& prefix, int64_t width,
                                  ParameterLookup& lookup) {
  return {.q_bias = lookup.Vector(prefix + "to_q.bias", width),
          .k_bias = lookup.Vector(prefix + "to_k.bias", width),
          .v_bias = lookup.Vector(prefix + "to_v.bias", width),
          .out_bias = lookup.Vector(prefix + "to_out.0.bias", width),
          .q_gain = lookup.Vector(prefix + "norm_q.weight", width),
          .k_gain = lookup.Vector(prefix + "norm_k.weight", width)};
}

WanBlockVectors FindBlock(const WanConfig& config, const std::string& prefix,
                          ParameterLookup& lookup) {
  const int64_t d = config.width();
  WanBlockVectors block;
  block.modulation = lookup.Vector(prefix + "scale_shift_table", 6 * d);
  block.self = FindAttention(prefix + "attn1.", d, lookup);
  block.text = FindAttention(prefix + "attn2.", d, lookup);
  if (config.cross_attn_norm) {
    block.text_norm_gain = lookup.Vector(prefix + "norm2.weight", d);
    block.text_norm_bias = lookup.Vector(prefix + "norm2.bias", d);
  }
  block.up_bias = lookup.Vector(prefix + "ffn.net.0.proj.bias", config.ffn_dim);
  block.down_bias = lookup.Vector(prefix + "ffn.net.2.bias", d);
  for (size_t i = 0; i < kWanMatrixCount; ++i) {
    const auto matrix = static_cast<WanMatrix>(i);
    block.scales[i] = lookup.OptionalVector(ScaleTensorName(WanMatrixName(prefix, matrix)),
                                            WanMatrixShape(config, matrix).out_features);
  }
  return block;
}

}  // namespace

WanWeights FindWanWeights(const WanConfig& config, ParameterLookup& lookup) {
  const int64_t d = config.width();
  const std::string text = "condition_embedder.text_embedder.linear_";
  WanWeights weights;
  weights.patch = lookup.Matrix("patch_embedding.weight", d, config.patch_values());
  weights.patch_bias = lookup.Vector("patch_embedding.bias", d);
  weights.text_in = lookup.Matrix(text + "1.weight", d, config.text_dim);
  weights.text_in_bias = lookup.Vector(text + "1.bias", d);
  weights.text_out = lookup.Matrix(text + "2.weight", d, d);
  weights.text_out_bias = lookup.Vector(text + "2.bias", d);
  weights.head_modulation = lookup.Vector("scale_shift_table", 2 * d);
  weights.head = lookup.Matrix("proj_out.weight", config.patch_values(), d);
  weights.head_bias = lookup.Vector("proj_out.bias", config.patch_values());
  for (int64_t i = 0; i < config.layers; ++i) {
    weights.blocks.push_back(FindBlock(config, absl::StrCat("blocks.", i, "."), lookup));
  }
  return weights;
}

}  // namespace longtake
