// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/vae/config.h"

#include <cmath>

#include "engine/model/config_reader.h"

namespace longtake {
namespace {

constexpr int64_t kBaseDimMax = 1024;
constexpr int64_t kMultMax = 64;
constexpr int64_t kWidthMax = 8192;
constexpr int64_t kMiddleWidthMax = 384;  // one head of the backend's attention; Wan's
constexpr int64_t kLatentChannelsMax = 256;
constexpr int64_t kResBlocksMax = 16;
constexpr size_t kLevels = 4;
constexpr double kLatentStatMax = 1e6;

constexpr float kWanMean[] = {-0.7571f, -0.7089f, -0.9113f, 0.1075f,  -0.1745f, 0.9653f,
                              -0.1517f, 1.5508f,  0.4134f,  -0.0715f, 0.5517f,  -0.3632f,
                              -0.1922f, -0.9497f, 0.2503f,  -0.2921f};
constexpr float kWanStd[] = {2.8184f, 1.4541f, 2.3275f, 2.6558f, 1.2196f, 1.7708f,
                             2.6052f, 2.0743f, 3.2687f, 2.1526f, 2.8652f, 1.5579f,
                             1.6382f, 1.1253f, 2.8251f, 1.9160f};

void RequireOnly(ConfigReader& reader, const std::string& name, const Json& only) {
  const Json* value = reader.Find(name);
  if (value != nullptr && *value != only) {
    reader.Refuse(name, "only " + only.dump() + " is supported");
  }
}

void RequireVariant(ConfigReader& reader) {
  reader.RequireString("_class_name", "AutoencoderKLWan");
  reader.RequireAbsent("patch_size", "a VAE with patches");
  if (reader.Bool("is_residual", false)) {
    reader.Refuse("is_residual", "a residual VAE is not supported");
  }
  RequireOnly(reader, "attn_scales", Json::array());
  RequireOnly(reader, "temperal_downsample", Json({false, true, true}));
  RequireOnly(reader, "in_channels", 3);
  RequireOnly(reader, "out_channels", 3);
  RequireOnly(reader, "scale_factor_temporal", kVaeTimeFactor);
  RequireOnly(reader, "scale_factor_spatial", kVaeSpaceFactor);
}

std::vector<int64_t> ReadMultipliers(ConfigReader& reader, const VaeConfig& config) {
  const Json* list = reader.Find("dim_mult");
  if (list == nullptr) return config.dim_mult;
  std::vector<int64_t> out;
  if (list->is_array() && list->size() == kLevels) {
    for (const Json& entry : *list) {
      const bool ok = entry.is_number_unsigned() && entry.get<uint64_t>() >= 1 &&
                      entry.get<uint64_t>() <= kMultMax;
      if (ok) out.push_back(entry.get<int64_t>());
    }
  }
  if (out.size() != kLevels) {
    reader.Refuse("dim_mult", "must be four integers from 1 to 64");
    return config.dim_mult;
  }
  return out;
}

// z_dim numbers; positive ones for the deviation, by which encoding divides.
std::vector<float> ReadStatistics(ConfigReader& reader, const std::string& name, int64_t count,
                                  bool positive) {
  std::vector<float> out;
  const Json* list = reader.Find(name);
  if (list != nullptr && list->is_array() && list->size() == static_cast<size_t>(count)) {
    for (const Json& entry : *list) {
      const double value = entry.is_number() ? entry.get<double>() : NAN;
      const bool ok =
          std::abs(value) <= kLatentStatMax && (!positive || value >= 1.0 / kLatentStatMax);
      if (ok) out.push_back(static_cast<float>(value));
    }
  }
  if (out.size() != static_cast<size_t>(count)) {
    reader.Refuse(name, positive ? "must be z_dim positive numbers" : "must be z_dim numbers");
  }
  return out;
}

}  // namespace

absl::StatusOr<VaeConfig> ParseVaeConfig(std::string_view text, const std::string& what) {
  LT_ASSIGN_OR_RETURN(const Json json, ParseJson(text, what));
  ConfigReader reader(json, what);
  RequireVariant(reader);
  VaeConfig config;
  // Halved once per upsampling: below 2 nothing would be left.
  config.base_dim = reader.Int({"base_dim", config.base_dim, 2, kBaseDimMax});
  config.z_dim = reader.Int({"z_dim", config.z_dim, 1, kLatentChannelsMax});
  config.num_res_blocks = reader.Int({"num_res_blocks", config.num_res_blocks, 1, kResBlocksMax});
  config.dim_mult = ReadMultipliers(reader, config);
  for (size_t level = 0; level < kLevels; ++level) {
    if (config.width(level) > kWidthMax) {
      reader.Refuse("dim_mult", "times base_dim must be at most 8192");
    }
  }
  if (config.width(kLevels - 1) > kMiddleWidthMax) {
    reader.Refuse("dim_mult", "its last entry times base_dim must be at most 384");
  }
  if (reader.Int({"decoder_base_dim", config.base_dim, 1, kBaseDimMax}) != config.base_dim) {
    reader.Refuse("decoder_base_dim", "must equal base_dim");
  }
  if (config.z_dim == static_cast<int64_t>(std::size(kWanMean)) &&
      reader.Find("latents_mean") == nullptr && reader.Find("latents_std") == nullptr) {
    config.latents_mean.assign(std::begin(kWanMean), std::end(kWanMean));
    config.latents_std.assign(std::begin(kWanStd), std::end(kWanStd));
  } else {
    config.latents_mean = ReadStatistics(reader, "latents_mean", config.z_dim, false);
    config.latents_std = ReadStatistics(reader, "latents_std", config.z_dim, true);
  }
  LT_RETURN_IF_ERROR(reader.status());
  return config;
}

}  // namespace longtake
