// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the parts of a model must agree on. Checked before hours of packing, and again when a pack
// is opened. Pure functions; errors name the part and its field.
#pragma once

#include <string>

#include "base/status_macros.h"
#include "engine/model/umt5/config.h"
#include "engine/model/vae/config.h"
#include "engine/model/wan/config.h"
#include "engine/text/tokenizer.h"
#include "storage/pack/pack_reader.h"

namespace longtake {

// By the file's published name, tokenizer.json or spiece.model.
absl::StatusOr<Tokenizer> ReadTokenizer(const std::string& name, const std::string& bytes);

// The tokenizer's ids have rows in the encoder, whose states are as wide as the transformer reads
// them, and whose latents have the channels the VAE decodes. INVALID_ARGUMENT.
absl::Status CheckPartsFit(const WanConfig& transformer, const Umt5Config& text_encoder,
                           const VaeConfig& vae, const Tokenizer& tokenizer);

// Layer matrices of I8 have their scales among the resident tensors, others have none, and none is
// wider than sums of 32 bits allow. INVALID_ARGUMENT naming the tensor.
absl::Status CheckInt8Layers(const PackReader& transformer);

}  // namespace longtake
