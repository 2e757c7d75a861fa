// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/calibration.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "storage/json.h"

namespace longtake {
namespace {

absl::StatusOr<double> Positive(const Json& object, const char* field, const std::string& what) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_number() || !(found->get<double>() > 0)) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", field, " is not above 0"));
  }
  return found->get<double>();
}

absl::StatusOr<double> AtLeastZero(const Json& object, const char* field, const std::string& what) {
  const auto found = object.find(field);
  if (found == object.end() || !found->is_number() || !(found->get<double>() >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ", field, " is not a number of at least 0"));
  }
  return found->get<double>();
}

constexpr char kRates[] = "disk_bytes_per_second";
constexpr char kPaths[] = "layer_paths";
constexpr char kDisks[] = "layer_disks";

// Files that do not say it are from when each path was taken for a disk of its own.
absl::Status DecodeLayerDisks(const Json& json, const std::string& what, Calibration& out) {
  std::vector<size_t> own(out.layer_paths.size());
  std::iota(own.begin(), own.end(), size_t{0});
  const Json disks = json.contains(kDisks) ? json[kDisks] : Json(own);
  if (!disks.is_array() || disks.size() != out.layer_paths.size()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", kDisks, " is not one per path"));
  }
  size_t count = 0;
  for (const Json& entry : disks) {
    if (!entry.is_number_unsigned() || entry.get<uint64_t>() > count) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": ", kDisks, " does not count them in order"));
    }
    out.layer_disks.push_back(entry.get<size_t>());
    count = std::max(count, out.layer_disks.back() + 1);
  }
  if (out.disk_bytes_per_second.size() != count) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", kRates, " is not one per disk"));
  }
  return absl::OkStatus();
}

// One number, or with layer paths a list of one for each disk that they are on.
absl::Status DecodeDisks(const Json& json, const std::string& what, Calibration& out) {
  if (!json.contains(kPaths)) {
    LT_ASSIGN_OR_RETURN(const double rate, Positive(json, kRates, what));
    out.disk_bytes_per_second = {rate};
    return absl::OkStatus();
  }
  const Json& paths = json[kPaths];
  const Json& rates = json.contains(kRates) ? json[kRates] : Json();
  if (!paths.is_array() || paths.empty() || !rates.is_array()) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ", kPaths, " or ", kRates, " is not a list"));
  }
  for (const Json& path : paths) {
    const Json entry = {{kPaths, path}};
    LT_ASSIGN_OR_RETURN(out.layer_paths.emplace_back(), JsonString(entry, kPaths, what));
  }
  for (const Json& rate : rates) {
    const Json entry = {{kRates, rate}};
    LT_ASSIGN_OR_RETURN(out.disk_bytes_per_second.emplace_back(), Positive(entry, kRates, what));
  }
  return DecodeLayerDisks(json, what, out);
}

absl::StatusOr<std::vector<LayerCost>> DecodeLayers(const Json& json, uint64_t format,
                                                    const std::string& what) {
  const auto found = json.find("layers");
  if (found == json.end() || !found->is_array() || found->empty()) {
    return absl::InvalidArgumentError(what + ": layers is not a list");
  }
  std::vector<LayerCost> layers;
  for (const Json& entry : *found) {
    if (!entry.is_object()) return absl::InvalidArgumentError(what + ": layers: not an object");
    LayerCost cost;
    LT_ASSIGN_OR_RETURN(const uint64_t tokens, JsonU64(entry, "tokens", what));
    cost.tokens = static_cast<int64_t>(tokens);
    LT_ASSIGN_OR_RETURN(cost.layer_seconds, Positive(entry, "layer_seconds", what));
    LT_ASSIGN_OR_RETURN(cost.between_seconds, Positive(entry, "between_seconds", what));
    if (format >= 3) {  // what was measured before says nothing of it, and is measured anew
      LT_ASSIGN_OR_RETURN(cost.context_row_seconds,
                          AtLeastZero(entry, "context_row_seconds", what));
    }
    if (cost.tokens < 1 || (!layers.empty() && layers.back().tokens >= cost.tokens)) {
      return absl::InvalidArgumentError(what + ": layers: tokens do not rise");
    }
    layers.push_back(cost);
  }
  return layers;
}

}  // namespace

LayerCost Calibration::At(int64_t tokens) const {
  if (tokens <= layers.front().tokens) return layers.front();
  const auto after = std::find_if(layers.begin(), layers.end(), [tokens](const LayerCost& cost) {
    return cost.tokens >= tokens;
  });
  LayerCost out = {.tokens = tokens};
  if (after == layers.end()) {
    const LayerCost& last = layers.back();
    const double times = static_cast<double>(tokens) / static_cast<double>(last.tokens);
    out.layer_seconds = last.layer_seconds * times;
    out.between_seconds = last.between_seconds * times;
    out.context_row_seconds = last.context_row_seconds * times;
    return out;
  }
  const LayerCost& before = *(after - 1);
  const double share = static_cast<double>(tokens - before.tokens) /
                       static_cast<double>(after->tokens - before.tokens);
  const auto between = [share](double low, double high) { return low + share * (high - low); };
  out.layer_seconds = between(before.layer_seconds, after->layer_seconds);
  out.between_seconds = between(before.between_seconds, after->between_seconds);
  out.context_row_seconds = between(before.context_row_seconds, after->context_row_seconds);
  return out;
}

std::string EncodeCalibration(const Calibration& calibration) {
  Json layers = Json::array();
  for (const LayerCost& cost : calibration.layers) {
    layers.push_back({{"tokens", cost.tokens},
                      {"layer_seconds", cost.layer_seconds},
                      {"between_seconds", cost.between_seconds},
                      {"context_row_seconds", cost.context_row_seconds}});
  }
  Json json = {{"format", calibration.format},
               {"model_digest", calibration.model_digest},
               {"numerics_profile", calibration.numerics_profile},
               {"instruction_set", calibration.instruction_set},
               {"threads", calibration.threads},
               {"request_bytes", calibration.request_bytes},
               {"disk_bytes_per_second", calibration.disk_bytes_per_second.front()},
               {"verify_bytes_per_second", calibration.verify_bytes_per_second},
               {"layers", layers},
               {"decode_pixel_seconds", calibration.decode.full.pixel},
               {"decode_latent_seconds", calibration.decode.full.latent},
               {"decode_begin_pixel_seconds", calibration.decode.full.begin},
               {"tiny_decode_pixel_seconds", calibration.decode.tiny.pixel},
               {"tiny_decode_latent_seconds", calibration.decode.tiny.latent},
               {"tiny_decode_begin_pixel_seconds", calibration.decode.tiny.begin}};
  if (!calibration.layer_paths.empty()) {
    json[kPaths] = calibration.layer_paths;
    json[kDisks] = calibration.layer_disks;
    json[kRates] = calibration.disk_bytes_per_second;
  }
  return json.dump(2) + "\n";
}

absl::StatusOr<Calibration> DecodeCalibration(std::string_view text, const std::string& what) {
  LT_ASSIGN_OR_RETURN(const Json json, ParseJson(text, what));
  if (!json.is_object()) return absl::InvalidArgumentError(what + ": not an object");
  Calibration out;
  // The first format did not say so.
  out.format = 1;
  if (json.contains("format")) {
    LT_ASSIGN_OR_RETURN(out.format, JsonU64(json, "format", what));
  }
  LT_ASSIGN_OR_RETURN(out.model_digest, JsonString(json, "model_digest", what));
  LT_ASSIGN_OR_RETURN(out.numerics_profile, JsonString(json, "numerics_profile", what));
  LT_ASSIGN_OR_RETURN(out.instruction_set, JsonString(json, "instruction_set", what));
  LT_ASSIGN_OR_RETURN(out.threads, JsonU64(json, "threads", what));
  LT_ASSIGN_OR_RETURN(out.request_bytes, JsonU64(json, "request_bytes", what));
  if (out.request_bytes == 0 || out.request_bytes > (1u << 30)) {
    return absl::InvalidArgumentError(what + ": request_bytes is not in 1 .. 1 GiB");
  }
  LT_RETURN_IF_ERROR(DecodeDisks(json, what, out));
  LT_ASSIGN_OR_RETURN(out.verify_bytes_per_second, Positive(json, "verify_bytes_per_second", what));
  LT_ASSIGN_OR_RETURN(out.layers, DecodeLayers(json, out.format, what));
  if (out.format >= 4) {
    LT_ASSIGN_OR_RETURN(out.decode.full.pixel, Positive(json, "decode_pixel_seconds", what));
    LT_ASSIGN_OR_RETURN(out.decode.tiny.pixel,
                        AtLeastZero(json, "tiny_decode_pixel_seconds", what));
  }
  if (out.format >= 5) {
    DecoderSeconds& full = out.decode.full;
    DecoderSeconds& tiny = out.decode.tiny;
    LT_ASSIGN_OR_RETURN(full.latent, AtLeastZero(json, "decode_latent_seconds", what));
    LT_ASSIGN_OR_RETURN(full.begin, AtLeastZero(json, "decode_begin_pixel_seconds", what));
    LT_ASSIGN_OR_RETURN(tiny.latent, AtLeastZero(json, "tiny_decode_latent_seconds", what));
    LT_ASSIGN_OR_RETURN(tiny.begin, AtLeastZero(json, "tiny_decode_begin_pixel_seconds", what));
  }
  return out;
}

}  // namespace longtake
