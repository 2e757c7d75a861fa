// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/spiece_normalizer.h"

#include "base/utf8.h"

namespace longtake {

namespace {

// What the text begins with: the part of it to consume, and what it becomes.
Charsmap::Match NormalPrefix(const SpieceNormalizer& rules, std::string_view text) {
  if (const auto symbol = rules.user_defined.LongestPrefix(text)) {
    return {text.substr(0, symbol->bytes), symbol->bytes};
  }
  if (const auto mapped = rules.charsmap.Longest(text)) return *mapped;
  const size_t bytes = DecodeUtf8(text, 0).bytes;
  return {text.substr(0, bytes), bytes};
}

}  // namespace

std::string SpieceNormalizer::Normalize(std::string_view text) const {
  const std::string_view space = escape_whitespaces ? kSpaceSymbol : " ";
  std::string out;
  while (remove_extra_whitespaces && !text.empty()) {
    const Charsmap::Match prefix = NormalPrefix(*this, text);
    if (prefix.replacement != " ") break;
    text.remove_prefix(prefix.bytes);
  }
  if (text.empty()) return out;
  out.reserve(text.size() + text.size() / 2 + space.size());
  if (add_dummy_prefix && !whitespace_as_suffix) out.append(space);
  bool after_space = remove_extra_whitespaces;
  while (!text.empty()) {
    Charsmap::Match prefix = NormalPrefix(*this, text);
    while (after_space && prefix.replacement.starts_with(' ')) prefix.replacement.remove_prefix(1);
    for (const char c : prefix.replacement) {
      if (c == ' ') {
        out.append(space);
      } else {
        out.push_back(c);
      }
    }
    // A replacement that vanished leaves after_space as it was.
    if (!prefix.replacement.empty()) after_space = prefix.replacement.ends_with(' ');
    if (!remove_extra_whitespaces) after_space = false;
    text.remove_prefix(prefix.bytes);
  }
  while (remove_extra_whitespaces && out.ends_with(space)) out.erase(out.size() - space.size());
  if (add_dummy_prefix && whitespace_as_suffix) out.append(space);
  return out;
}

}  // namespace longtake
