// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/pre_tokenizer.h"

#include <utility>

#include "base/utf8.h"

namespace longtake {

namespace {

std::vector<std::string_view> SplitAtWhiteSpace(std::string_view text) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = DecodeUtf8(text, at);
    if (IsWhiteSpace(c.code)) {
      if (at > begin) parts.push_back(text.substr(begin, at - begin));
      begin = at + c.bytes;
    }
    at += c.bytes;
  }
  if (text.size() > begin) parts.push_back(text.substr(begin));
  return parts;
}

std::string WithMetaspace(std::string_view text, const std::string& metaspace, bool prepend) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out.append(metaspace);
    } else {
      out.push_back(c);
    }
  }
  return prepend && !out.starts_with(metaspace) ? metaspace + out : out;
}

}  // namespace

std::vector<std::string> PreTokenizer::Words(std::string_view text, bool at_start) const {
  std::vector<std::string> words;
  if (text.empty()) return words;
  const std::vector<std::string_view> parts =
      split_whitespace ? SplitAtWhiteSpace(text) : std::vector<std::string_view>{text};
  for (const std::string_view part : parts) {
    if (metaspace.empty()) {
      words.emplace_back(part);
      continue;
    }
    const bool first = at_start && part.data() == text.data();
    const bool prepended = prepend == Prepend::kAlways || (prepend == Prepend::kFirst && first);
    std::string word = WithMetaspace(part, metaspace, prepended);
    size_t begin = 0;
    for (size_t next = 0; split_metaspace; begin = next) {
      next = word.find(
          metaspace,
          begin + (word.compare(begin, metaspace.size(), metaspace) == 0 ? metaspace.size() : 0));
      if (next == std::string::npos) break;
      words.push_back(word.substr(begin, next - begin));
    }
    words.push_back(word.substr(begin));
  }
  return words;
}

}  // namespace longtake
