// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/wan/config.h"

#include "engine/model/config_reader.h"

namespace longtake {
namespace {

// Far above any published model, low enough that no tensor's element count can overflow.
constexpr int64_t kLayersMax = 1024;
constexpr int64_t kHeadsMax = 1024;
constexpr int64_t kHeadDimMax = 384;  // attention kernels take no larger heads
constexpr int64_t kWidthMax = 1 << 16;
constexpr int64_t kFfnMax = 1 << 20;
constexpr int64_t kChannelsMax = 1024;

void RequirePatch(ConfigReader& reader) {
  const Json* patch = reader.Find("patch_size");
  if (patch != nullptr && *patch != Json({1, 2, 2})) {
    reader.Refuse("patch_size", "only [1, 2, 2] is supported");
  }
}

void RequireTextToVideo(ConfigReader& reader) {
  RequirePatch(reader);
  reader.RequireString("_class_name", "WanTransformer3DModel");
  reader.RequireString("qk_norm", "rms_norm_across_heads");
  reader.RequireAbsent("added_kv_proj_dim", "an image-to-video transformer");
  reader.RequireAbsent("image_dim", "an image-to-video transformer");
  reader.RequireAbsent("pos_embed_seq_len", "a first-last-frame transformer");
  reader.RequireAbsent("boundary_ratio", "a two-expert transformer");
}

void RequireConsistent(const WanConfig& config, ConfigReader& reader) {
  if (config.width() > kWidthMax) {
    reader.Refuse("num_attention_heads", "times attention_head_dim must be at most 65536");
  }
  if (config.head_dim % 2 != 0) {
    reader.Refuse("attention_head_dim", "must be even: rotary channels come in pairs");
  }
  if (config.freq_dim % 2 != 0) {
    reader.Refuse("freq_dim", "must be even: half cosines, half sines");
  }
}

}  // namespace

absl::StatusOr<WanConfig> ParseWanConfig(std::string_view text, const std::string& what) {
  LT_ASSIGN_OR_RETURN(const Json json, ParseJson(text, what));
  ConfigReader reader(json, what);
  RequireTextToVideo(reader);
  WanConfig config;
  config.heads = reader.Int({"num_attention_heads", config.heads, 1, kHeadsMax});
  config.head_dim = reader.Int({"attention_head_dim", config.head_dim, 6, kHeadDimMax});
  config.ffn_dim = reader.Int({"ffn_dim", config.ffn_dim, 1, kFfnMax});
  config.layers = reader.Int({"num_layers", config.layers, 1, kLayersMax});
  config.channels = reader.Int({"in_channels", config.channels, 1, kChannelsMax});
  config.text_dim = reader.Int({"text_dim", config.text_dim, 1, kWidthMax});
  config.freq_dim = reader.Int({"freq_dim", config.freq_dim, 2, kWidthMax});
  config.cross_attn_norm = reader.Bool("cross_attn_norm", config.cross_attn_norm);
  config.eps = reader.Positive("eps", config.eps, 0.1);
  reader.Int({"rope_max_seq_len", 1024, 1, INT64_MAX});  // no weight depends on it
  if (reader.Int({"out_channels", config.channels, 1, kChannelsMax}) != config.channels) {
    reader.Refuse("out_channels", "must equal in_channels");
  }
  RequireConsistent(config, reader);
  LT_RETURN_IF_ERROR(reader.status());
  return config;
}

}  // namespace longtake
