// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model_parts.h"

#include "absl/strings/str_cat.h"

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

}  // namespace longtake
