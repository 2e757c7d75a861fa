// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The prompt tokenizer: text to the ids that the text encoder embeds (docs/spec 5.2 and 5.4). Reads
// a SentencePiece spiece.model or a Hugging Face tokenizer.json, both of the Unigram kind.
//   text -> special tokens cut out literally -> normalizer -> words -> Unigram -> ids, then </s>
// From a spiece.model ids are those of SentencePiece, up to exact ties of fp32 sums; from a
// tokenizer.json those of the published fast tokenizer. Ownership: a value that owns its tables;
// move it, a copy costs the whole vocabulary. Thread rule: immutable after load, any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status_macros.h"
#include "engine/text/normalizer.h"
#include "engine/text/piece_index.h"
#include "engine/text/pre_tokenizer.h"
#include "engine/text/spiece_model.h"
#include "engine/text/tokenizer_spec.h"
#include "engine/text/unigram.h"

namespace longtake {

class Tokenizer {
 public:
  // The bytes of the file. InvalidArgument or Unimplemented naming what is wrong in it.
  static absl::StatusOr<Tokenizer> FromSpiece(std::string_view bytes,
                                              const SpieceOptions& options = {});
  static absl::StatusOr<Tokenizer> FromTokenizerJson(std::string_view bytes);

  // At most max_tokens ids, the last of them always </s>; none when max_tokens < 1. Bytes that are
  // not valid UTF-8 count as U+FFFD. The caller bounds text (below 2 GiB); work and memory grow
  // linearly with it.
  std::vector<int32_t> Encode(std::string_view text, int max_tokens) const;

  // All ids are below this; added tokens count.
  int32_t vocab_size() const { return vocab_size_; }
  int32_t eos_id() const { return eos_id_; }

 private:
  static absl::StatusOr<Tokenizer> Build(TokenizerSpec spec);
  void EncodeNormalized(std::string_view text, bool at_start, std::vector<int32_t>& ids) const;

  PieceIndex specials_;             // looked for in the text
  PieceIndex normalized_specials_;  // looked for in the normalized text
  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  Unigram unigram_;
  int32_t eos_id_ = 0;
  int32_t vocab_size_ = 0;
};

}  // namespace longtake
