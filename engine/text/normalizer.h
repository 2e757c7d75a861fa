// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The normalizer of a tokenizer as a list of steps, run in order (docs/spec 5.4). A spiece.model
// has one step of its own kind; a tokenizer.json lists steps by name. Thread rule: immutable after
// Create, any thread. Ownership: owns all tables.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status_macros.h"
#include "engine/text/charsmap.h"
#include "engine/text/spiece_normalizer.h"

namespace longtake {

// "Precompiled" as the published fast tokenizer applies it: by grapheme, and by character where the
// grapheme has no entry or is long. Differs from SentencePiece for rare combining marks only.
struct GraphemeCharsmap {
  Charsmap charsmap;
};

// "Replace": a fixed text, or with run_min > 0 each whole run of at least so many of it.
struct ReplaceText {
  std::string pattern;  // never empty
  size_t run_min = 0;
  std::string content;
};

struct StripSpaces {
  bool left = true;
  bool right = true;
};

// Put before any text that is not empty.
struct PrependText {
  std::string text;
};

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

// Text in this form by ICU's tables; text that ICU cannot process (over 2 GiB) comes back
// unchanged.
std::string ToUnicodeForm(UnicodeForm form, std::string_view text);

using NormalizerStep = std::variant<SpieceNormalizer, GraphemeCharsmap, ReplaceText, StripSpaces,
                                    PrependText, UnicodeForm>;

class Normalizer {
 public:
  // InvalidArgument when there are more than 16 steps, or when the steps together could grow a text
  // by more than 4096 times: a hostile file must not turn a prompt into gigabytes.
  static absl::StatusOr<Normalizer> Create(std::vector<NormalizerStep> steps);

  Normalizer() = default;

  // text is valid UTF-8.
  std::string Normalize(std::string_view text) const;

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace longtake
