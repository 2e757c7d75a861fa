// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The normalizer of a spiece.model (docs/spec 5.4): replaces by the longest key of the character
// map, folds whitespace and writes it as U+2581. User-defined pieces pass through unchanged. Thread
// rule: immutable, any thread. Errors: none, any UTF-8 has a normal form.
#pragma once

#include <string>
#include <string_view>

#include "engine/text/charsmap.h"
#include "engine/text/piece_index.h"

namespace longtake {

// U+2581, written where SentencePiece pieces have a space.
inline constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";

struct SpieceNormalizer {
  Charsmap charsmap;
  PieceIndex user_defined;
  // The fields of normalizer_spec, with the defaults of its schema.
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool whitespace_as_suffix = false;

  std::string Normalize(std::string_view text) const;
};

}  // namespace longtake
