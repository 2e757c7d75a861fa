// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/umt5/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/model/wan/config.h"

namespace longtake {
namespace {

using testing::HasSubstr;

constexpr char k13B[] = R"({
  "_class_name": "WanTransformer3DModel", "_diffusers_version": "0.33.0.dev0",
  "added_kv_proj_dim": null, "attention_head_dim": 128, "cross_attn_norm": true, "eps": 1e-06,
  "ffn_dim": 8960, "freq_dim": 256, "image_dim": null, "in_channels": 16,
  "num_attention_heads": 12, "num_layers": 30, "out_channels": 16, "patch_size": [1, 2, 2],
  "qk_norm": "rms_norm_across_heads", "rope_max_seq_len": 1024, "text_dim": 4096})";

TEST(WanConfig, ReadsThePublishedFile) {
  const auto config = ParseWanConfig(k13B, "config.json");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(*config, (WanConfig{.heads = 12, .ffn_dim = 8960, .layers = 30}));
  EXPECT_EQ(config->width(), 1536);
}

TEST(WanConfig, MissingFieldsAreThePublishedDefaults) {
  const auto config = ParseWanConfig("{}", "config.json");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(*config, WanConfig());
  EXPECT_EQ(config->width(), 5120);
}

struct Refusal {
  std::string name;
  std::string json;
  std::string message;  // part of it
};
void PrintTo(const Refusal& value, std::ostream* out) { *out << value.name; }

class WanRefusals : public testing::TestWithParam<Refusal> {};

TEST_P(WanRefusals, NamesFileAndField) {
  const auto config = ParseWanConfig(GetParam().json, "dir/config.json");
  ASSERT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("dir/config.json"));
  EXPECT_THAT(std::string(config.status().message()), HasSubstr(GetParam().message));
}

const Refusal kWanRefusals[] = {
    {"not_json", "{", ""},
    {"not_an_object", "[1]", "not a JSON object"},
    {"twice", R"({"eps": 1e-6, "eps": 1e-6})", "eps"},
    {"two_experts", R"({"boundary_ratio": 0.9})", "boundary_ratio"},
    {"image_dim", R"({"image_dim": 1280})", "image_dim: an image-to-video"},
    {"image_kv", R"({"added_kv_proj_dim": 5120})", "added_kv_proj_dim"},
    {"first_last", R"({"pos_embed_seq_len": 514})", "pos_embed_seq_len"},
    {"other_norm", R"({"qk_norm": "rms_norm"})", "qk_norm: only \"rms_norm_across_heads\""},
    {"other_class", R"({"_class_name": "CogVideoX"})", "_class_name"},
    {"other_patch", R"({"patch_size": [1, 4, 4]})", "patch_size"},
    {"patch_scalar", R"({"patch_size": 2})", "patch_size"},
    {"odd_head", R"({"attention_head_dim": 127})", "attention_head_dim: must be even"},
    {"tiny_head", R"({"attention_head_dim": 4})", "attention_head_dim"},
    {"odd_freq", R"({"freq_dim": 255})", "freq_dim: must be even"},
    {"channels_differ", R"({"in_channels": 36, "out_channels": 16})", "out_channels"},
    {"no_layers", R"({"num_layers": 0})", "num_layers: must be an integer from 1"},
    {"negative", R"({"ffn_dim": -8})", "ffn_dim"},
    {"fraction", R"({"ffn_dim": 8.5})", "ffn_dim"},
    {"text_number", R"({"ffn_dim": "8960"})", "ffn_dim"},
    {"huge", R"({"num_layers": 18446744073709551615})", "num_layers"},
    {"too_wide", R"({"num_attention_heads": 1024, "attention_head_dim": 128})",
     "num_attention_heads"},
    {"head_too_wide", R"({"attention_head_dim": 386})", "attention_head_dim"},
    {"eps_zero", R"({"eps": 0})", "eps"},
    {"eps_large", R"({"eps": 2})", "eps"},
    {"not_bool", R"({"cross_attn_norm": 1})", "cross_attn_norm"},
};
INSTANTIATE_TEST_SUITE_P(All, WanRefusals, testing::ValuesIn(kWanRefusals),
                         [](const auto& param) { return param.param.name; });

TEST(Umt5Config, ReadsThePublishedValues) {
  const auto config = ParseUmt5Config(
      R"({"architectures": ["UMT5EncoderModel"], "model_type": "umt5", "vocab_size": 256384,
          "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64,
          "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128,
          "layer_norm_epsilon": 1e-06, "feed_forward_proj": "gated-gelu",
          "dense_act_fn": "gelu_new", "is_gated_act": true, "dropout_rate": 0.1,
          "tie_word_embeddings": false, "scalable_attention": true})",
      "config.json");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(*config, Umt5Config());
}

class Umt5Refusals : public testing::TestWithParam<Refusal> {};

TEST_P(Umt5Refusals, NamesFileAndField) {
  const auto config = ParseUmt5Config(GetParam().json, "dir/config.json");
  ASSERT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("dir/config.json"));
  EXPECT_THAT(std::string(config.status().message()), HasSubstr(GetParam().message));
}

const Refusal kUmt5Refusals[] = {
    {"t5", R"({"model_type": "t5"})", "model_type: only \"umt5\""},
    {"relu", R"({"feed_forward_proj": "relu"})", "feed_forward_proj"},
    {"erf", R"({"dense_act_fn": "gelu"})", "dense_act_fn"},
    {"not_gated", R"({"is_gated_act": false})", "is_gated_act"},
    {"buckets", R"({"relative_attention_num_buckets": 64})", "relative_attention_num_buckets"},
    {"distance", R"({"relative_attention_max_distance": 64})", "relative_attention_max_distance"},
    {"vocab", R"({"vocab_size": 0})", "vocab_size"},
    {"too_wide", R"({"num_heads": 1024, "d_kv": 128})", "num_heads"},
    {"head_too_wide", R"({"d_kv": 386})", "d_kv"},
    {"head_odd", R"({"d_kv": 63})", "d_kv"},
};
INSTANTIATE_TEST_SUITE_P(All, Umt5Refusals, testing::ValuesIn(kUmt5Refusals),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace longtake
