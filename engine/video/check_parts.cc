// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/check_parts.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "engine/backend/backend.h"
#include "engine/model/component_layout.h"

namespace longtake {

absl::StatusOr<Tokenizer> ReadTokenizer(const std::string& name, const std::string& bytes) {
  if (name == "tokenizer.json") return Tokenizer::FromTokenizerJson(bytes);
  if (name == "spiece.model") return Tokenizer::FromSpiece(bytes);
  return absl::InvalidArgumentError("tokenizer: neither tokenizer.json nor spiece.model");
}

absl::Status CheckPartsFit(const WanConfig& transformer, const Umt5Config& text_encoder,
                           const VaeConfig& vae, const Tokenizer& tokenizer) {
  if (text_encoder.d_model != transformer.text_dim) {
    return absl::InvalidArgumentError(absl::StrCat("text_encoder: d_model ", text_encoder.d_model,
                                                   " is not the transformer's text_dim ",
                                                   transformer.text_dim));
  }
  if (tokenizer.vocab_size() > text_encoder.vocab_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("text_encoder: vocab_size ", text_encoder.vocab_size,
                     " is less than the tokenizer's ", tokenizer.vocab_size()));
  }
  if (vae.z_dim != transformer.channels) {
    return absl::InvalidArgumentError(absl::StrCat(
        "vae: z_dim ", vae.z_dim, " is not the transformer's in_channels ", transformer.channels));
  }
  return absl::OkStatus();
}

absl::Status CheckInt8Layers(const PackReader& transformer) {
  std::set<std::string> resident;
  for (const TensorInfo& tensor : transformer.resident().tensors) resident.insert(tensor.name);
  for (size_t layer = 0; layer < transformer.layer_count(); ++layer) {
    for (const PartInfo& part : transformer.layer(layer).parts) {
      for (const TensorInfo& tensor : part.tensors) {
        const bool is_int8 = tensor.dtype == DType::kI8;
        if (is_int8 != resident.contains(ScaleTensorName(tensor.name))) {
          return absl::InvalidArgumentError(
              absl::StrCat(transformer.path(), ": tensor ", tensor.name,
                           is_int8 ? " is I8 without scales" : " has scales and is not I8"));
        }
        if (is_int8 && tensor.shape.back() > kInt8InFeaturesMax) {
          return absl::InvalidArgumentError(absl::StrCat(
              transformer.path(), ": tensor ", tensor.name, " is wider than ", kInt8InFeaturesMax));
        }
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace longtake
