// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/umt5/config.h"

#include "engine/model/config_reader.h"
#include "engine/model/umt5/relative_buckets.h"

namespace longtake {
namespace {

constexpr int64_t kVocabMax = 1 << 24;
constexpr int64_t kWidthMax = 1 << 16;
constexpr int64_t kFfnMax = 1 << 20;
constexpr int64_t kLayersMax = 1024;
constexpr int64_t kHeadsMax = 1024;
constexpr int64_t kHeadDimMax = 384;  // attention kernels take no larger heads

void RequireUmt5(ConfigReader& reader) {
  reader.RequireString("model_type", "umt5");
  reader.RequireString("feed_forward_proj", "gated-gelu");
  reader.RequireString("dense_act_fn", "gelu_new");
  if (!reader.Bool("is_gated_act", true)) reader.Refuse("is_gated_act", "only true is supported");
  // The bucket thresholds are exact integers known for these two numbers (docs/spec 5.1).
  reader.Int(
      {"relative_attention_num_buckets", kRelativeBuckets, kRelativeBuckets, kRelativeBuckets});
  reader.Int({"relative_attention_max_distance", kRelativeDistanceMax, kRelativeDistanceMax,
              kRelativeDistanceMax});
}

}  // namespace

absl::StatusOr<Umt5Config> ParseUmt5Config(std::string_view text, const std::string& what) {
  LT_ASSIGN_OR_RETURN(const Json json, ParseJson(text, what));
  ConfigReader reader(json, what);
  RequireUmt5(reader);
  Umt5Config config;
  config.vocab_size = reader.Int({"vocab_size", config.vocab_size, 1, kVocabMax});
  config.d_model = reader.Int({"d_model", config.d_model, 1, kWidthMax});
  config.d_kv = reader.Int({"d_kv", config.d_kv, 2, kHeadDimMax});
  if (config.d_kv % 2 != 0) reader.Refuse("d_kv", "must be even");
  config.d_ff = reader.Int({"d_ff", config.d_ff, 1, kFfnMax});
  config.layers = reader.Int({"num_layers", config.layers, 1, kLayersMax});
  config.heads = reader.Int({"num_heads", config.heads, 1, kHeadsMax});
  config.eps = reader.Positive("layer_norm_epsilon", config.eps, 0.1);
  if (config.inner() > kWidthMax) {
    reader.Refuse("num_heads", "times d_kv must be at most 65536");
  }
  LT_RETURN_IF_ERROR(reader.status());
  return config;
}

}  // namespace longtake
