// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The "normalizer" and "pre_tokenizer" members of a tokenizer.json (docs/spec 5.4).
// Thread rule: pure functions, any thread. Errors: InvalidArgument naming the member; Unimplemented
// naming a kind, or a regular expression, that is not supported.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "base/status_macros.h"
#include "engine/text/normalizer.h"
#include "engine/text/pre_tokenizer.h"

namespace longtake {

// Precompiled, Replace (a fixed text, or a run of one character such as " {2,}"), Strip, Prepend,
// NFC, NFD, NFKC, NFKD and Sequence of these; null is no step.
absl::StatusOr<std::vector<NormalizerStep>> ParseJsonNormalizer(const nlohmann::json& json);

// Metaspace, WhitespaceSplit, or a Sequence of WhitespaceSplit and Metaspace; null cuts nothing.
absl::StatusOr<PreTokenizer> ParseJsonPreTokenizer(const nlohmann::json& json);

}  // namespace longtake
