// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/prompt_cleaner.h"

#include <optional>

#include "base/utf8.h"
#include "engine/text/html_unescape.h"
#include "engine/text/text_fixes.h"

namespace longtake {

namespace {

std::string CollapseWhiteSpace(std::string_view text) {
  std::string out;
  bool pending = false;
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = DecodeUtf8(text, at);
    if (IsWhiteSpace(c.code)) {
      pending = !out.empty();
    } else {
      if (pending) out.push_back(' ');
      pending = false;
      out.append(text.substr(at, c.bytes));
    }
    at += c.bytes;
  }
  return out;
}

}  // namespace

absl::StatusOr<std::string> CleanPrompt(std::string_view prompt) {
  if (prompt.size() > kCleanInputBytesMax) {
    return absl::InvalidArgumentError("prompt: " + std::to_string(prompt.size()) +
                                      " bytes, more than " + std::to_string(kCleanInputBytesMax));
  }
  if (const std::optional<size_t> invalid = FirstInvalidUtf8(prompt)) {
    return absl::InvalidArgumentError("prompt: not valid UTF-8 at byte " +
                                      std::to_string(*invalid));
  }
  std::string text = FixText(prompt);
  text = UnescapeHtml(text, HtmlReferences::kAll);
  text = UnescapeHtml(text, HtmlReferences::kAll);
  return CollapseWhiteSpace(text);
}

}  // namespace longtake
