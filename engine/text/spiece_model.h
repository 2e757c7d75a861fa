// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Reads a SentencePiece model file (spiece.model) of the Unigram kind into a TokenizerSpec.
// Source: the published schema of that file, a protobuf message; docs/spec 5.4.
// Hostile bytes: all lengths checked, at most 64 MiB, kPiecesMax pieces, no recursion.
// Thread rule: pure function, any thread.
#pragma once

#include <string_view>

#include "base/status_macros.h"
#include "engine/text/tokenizer_spec.h"

namespace longtake {

struct SpieceOptions {
  // Number of <extra_id_N> tokens behind the vocabulary, counted backwards as T5 does: the last id
  // is <extra_id_0>. UMT5 has 300, its file does not say so.
  int32_t extra_ids = 0;
  // Texts such as </s> in a prompt become the control piece, as Transformers does; false: plain
  // text, as SentencePiece alone does.
  bool match_control_pieces = true;
};

// InvalidArgument naming the message or piece; Unimplemented for another kind than Unigram.
absl::StatusOr<TokenizerSpec> ParseSpiece(std::string_view bytes, const SpieceOptions& options);

}  // namespace longtake
