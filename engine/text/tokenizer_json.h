// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Reads a Hugging Face tokenizer.json with a Unigram model into a TokenizerSpec.
// Source: the published format as docs/spec 5.4 describes it. Its own truncation and padding
// settings are not used: the caller says how many tokens it wants, and rows are not padded. Hostile
// bytes: at most 64 MiB, 32 levels, 6 million values, kPiecesMax pieces and added tokens. Thread
// rule: pure function, any thread.
#pragma once

#include <string_view>

#include "base/status_macros.h"
#include "engine/text/tokenizer_spec.h"

namespace longtake {

// InvalidArgument naming the member that is wrong; Unimplemented naming what is not supported.
absl::StatusOr<TokenizerSpec> ParseTokenizerJson(std::string_view bytes);

}  // namespace longtake
