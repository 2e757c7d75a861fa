// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Cuts a normalized text into the words that Unigram sees one by one (docs/spec 5.4). A
// spiece.model cuts nothing; a tokenizer.json cuts at whitespace, or with Metaspace before each
// U+2581. Thread rule: immutable value, any thread. Errors: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace longtake {

struct PreTokenizer {
  enum class Prepend { kNever, kFirst, kAlways };

  bool split_whitespace = false;  // first drop all whitespace and cut there
  std::string metaspace;          // what replaces a space; empty: no Metaspace
  Prepend prepend = Prepend::kAlways;
  bool split_metaspace = true;

  // at_start: text begins the prompt, which is where kFirst prepends. No word is empty.
  // The fast tokenizer prepends nothing when its normalizer removed the first characters of the
  // prompt; here it does not matter what stood before, and a cleaned prompt has nothing to remove.
  std::vector<std::string> Words(std::string_view text, bool at_start) const;
};

}  // namespace longtake
