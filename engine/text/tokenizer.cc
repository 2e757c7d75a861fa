// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/tokenizer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "engine/text/tokenizer_json.h"

namespace longtake {

namespace {

// A part of a text: a special token, or what lies between two of them.
struct Part {
  int32_t id = -1;  // -1: text
  std::string_view text;
};

std::vector<Part> CutSpecials(const PieceIndex& specials, std::string_view text) {
  std::vector<Part> parts;
  size_t begin = 0;
  for (size_t at = 0; at < text.size() && !specials.empty();) {
    const auto match = specials.LongestPrefix(text.substr(at));
    if (!match) {
      ++at;
      continue;
    }
    if (at > begin) parts.push_back({-1, text.substr(begin, at - begin)});
    parts.push_back({match->id, text.substr(at, match->bytes)});
    at += match->bytes;
    begin = at;
  }
  if (text.size() > begin) parts.push_back({-1, text.substr(begin)});
  return parts;
}

absl::StatusOr<PieceIndex> IndexSpecials(const std::vector<SpecialToken>& specials) {
  std::vector<PieceIndex::Piece> pieces;
  for (const SpecialToken& special : specials) pieces.push_back({special.text, special.id});
  absl::StatusOr<PieceIndex> index = PieceIndex::Create(std::move(pieces));
  if (!index.ok()) return Annotate(index.status(), "special tokens");
  return index;
}

}  // namespace

absl::StatusOr<Tokenizer> Tokenizer::FromSpiece(std::string_view bytes,
                                                const SpieceOptions& options) {
  LT_ASSIGN_OR_RETURN(TokenizerSpec spec, ParseSpiece(bytes, options));
  absl::StatusOr<Tokenizer> tokenizer = Build(std::move(spec));
  if (!tokenizer.ok()) return Annotate(tokenizer.status(), "spiece.model");
  return tokenizer;
}

absl::StatusOr<Tokenizer> Tokenizer::FromTokenizerJson(std::string_view bytes) {
  LT_ASSIGN_OR_RETURN(TokenizerSpec spec, ParseTokenizerJson(bytes));
  absl::StatusOr<Tokenizer> tokenizer = Build(std::move(spec));
  if (!tokenizer.ok()) return Annotate(tokenizer.status(), "tokenizer.json");
  return tokenizer;
}

absl::StatusOr<Tokenizer> Tokenizer::Build(TokenizerSpec spec) {
  Tokenizer tokenizer;
  tokenizer.eos_id_ = spec.eos_id;
  tokenizer.pre_tokenizer_ = std::move(spec.pre_tokenizer);
  LT_ASSIGN_OR_RETURN(tokenizer.unigram_, Unigram::Create(std::move(spec.unigram)));
  LT_ASSIGN_OR_RETURN(tokenizer.normalizer_, Normalizer::Create(std::move(spec.normalizer)));
  tokenizer.vocab_size_ = tokenizer.unigram_.size();
  std::vector<SpecialToken> raw, normalized;
  for (SpecialToken& special : spec.specials) {
    tokenizer.vocab_size_ = std::max(tokenizer.vocab_size_, special.id + 1);
    if (special.normalized) special.text = tokenizer.normalizer_.Normalize(special.text);
    (special.normalized ? normalized : raw).push_back(std::move(special));
  }
  LT_ASSIGN_OR_RETURN(tokenizer.specials_, IndexSpecials(raw));
  LT_ASSIGN_OR_RETURN(tokenizer.normalized_specials_, IndexSpecials(normalized));
  return tokenizer;
}

void Tokenizer::EncodeNormalized(std::string_view text, bool at_start,
                                 std::vector<int32_t>& ids) const {
  for (const Part& part : CutSpecials(normalized_specials_, text)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    const bool first = at_start && part.text.data() == text.data();
    for (const std::string& word : pre_tokenizer_.Words(part.text, first)) {
      unigram_.Encode(word, ids);
    }
  }
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text, int max_tokens) const {
  std::vector<int32_t> ids;
  if (max_tokens < 1) return ids;
  const std::string valid = ReplaceInvalidUtf8(text);
  for (const Part& part : CutSpecials(specials_, valid)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
    } else {
      EncodeNormalized(normalizer_.Normalize(part.text), part.text.data() == valid.data(), ids);
    }
  }
  ids.resize(std::min(ids.size(), static_cast<size_t>(max_tokens) - 1));
  ids.push_back(eos_id_);
  return ids;
}

}  // namespace longtake
