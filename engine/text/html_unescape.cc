// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/html_unescape.h"

#include <algorithm>
#include <optional>

#include "base/utf8.h"
#include "engine/text/html_entities.h"
#include "engine/text/windows_1252.h"

namespace longtake {

namespace {

constexpr size_t kNameCharsMax = 32;        // what HTML looks at behind &
constexpr size_t kClosedNameBytesMax = 24;  // and what kClosed does
constexpr int32_t kCodeEnd = 0x110000;

// A reference at the start of a text: how many bytes it takes and what it becomes.
struct Reference {
  size_t bytes = 0;
  std::string text;
};

int Digit(char c, int base) {
  int value = -1;
  if (c >= '0' && c <= '9') value = c - '0';
  if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
  if (c >= 'A' && c <= 'F') value = c - 'A' + 10;
  return value < base ? value : -1;
}

// The standard drops control characters and noncharacters.
bool IsDropped(int32_t code) {
  return (code >= 0x01 && code <= 0x08) || code == 0x0B || (code >= 0x0E && code <= 0x1F) ||
         code == 0x7F || (code >= 0xFDD0 && code <= 0xFDEF) || (code & 0xFFFE) == 0xFFFE;
}

std::string NumericText(int32_t code) {
  std::string out;
  if (code >= kCodeEnd || code == 0) code = 0xFFFD;
  if (!IsDropped(code)) AppendUtf8(FromWindows1252(code), out);
  return out;
}

// text begins with "&#".
std::optional<Reference> Numeric(std::string_view text) {
  size_t at = 2;
  const bool hex = at < text.size() && (text[at] == 'x' || text[at] == 'X');
  if (hex) ++at;
  const size_t digits = at;
  int32_t code = 0;
  for (; at < text.size() && Digit(text[at], hex ? 16 : 10) >= 0; ++at) {
    code = std::min(code * (hex ? 16 : 10) + Digit(text[at], hex ? 16 : 10), kCodeEnd);
  }
  if (at == digits) return std::nullopt;
  if (at < text.size() && text[at] == ';') ++at;
  return Reference{at, NumericText(code)};
}

// text begins with "&". The longest known name wins; what follows it stays.
std::optional<Reference> Named(std::string_view text) {
  size_t end = 1;
  for (size_t chars = 0; end < text.size() && chars < kNameCharsMax; ++chars) {
    if (std::string_view("\t\n\f <&#;").find(text[end]) != std::string_view::npos) break;
    end += DecodeUtf8(text, end).bytes;
  }
  if (end < text.size() && text[end] == ';') {
    const HtmlEntity* entity = FindHtmlEntity(text.substr(1, end - 1));
    if (entity != nullptr) return Reference{end + 1, entity->text};
  }
  for (; end > 2; --end) {
    const HtmlEntity* entity = FindHtmlEntity(text.substr(1, end - 1));
    if (entity != nullptr && entity->bare) return Reference{end, entity->text};
  }
  return std::nullopt;
}

// A name or number of letters and digits with its semicolon, of which nothing is left over.
std::optional<Reference> Closed(std::string_view text) {
  const size_t name = text.starts_with("&#") ? 2 : 1;
  size_t end = name;
  const auto is_alnum = [](char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  };
  while (end < text.size() && is_alnum(text[end])) ++end;
  if (end == name || end - name > kClosedNameBytesMax || end == text.size() || text[end] != ';') {
    return std::nullopt;
  }
  if (name == 1) {
    const HtmlEntity* entity = FindHtmlEntity(text.substr(1, end - 1));
    return entity == nullptr ? std::nullopt : std::optional(Reference{end + 1, entity->text});
  }
  std::optional<Reference> numeric = Numeric(text.substr(0, end + 1));
  // A semicolon as the result could close another reference in the next round.
  if (!numeric || numeric->bytes != end + 1 || numeric->text == ";") return std::nullopt;
  return numeric;
}

}  // namespace

std::string UnescapeHtml(std::string_view text, HtmlReferences which) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::optional<Reference> reference;
    if (text.front() == '&') {
      if (which == HtmlReferences::kClosed) {
        reference = Closed(text);
      } else {
        reference = text.starts_with("&#") ? Numeric(text) : Named(text);
      }
    }
    if (reference) {
      out.append(reference->text);
      text.remove_prefix(reference->bytes);
    } else {
      out.push_back(text.front());
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace longtake
