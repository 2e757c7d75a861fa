// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/text_fixes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/utf8.h"
#include "engine/text/html_unescape.h"
#include "engine/text/normalizer.h"
#include "engine/text/windows_1252.h"

namespace longtake {

namespace {

// Each round undoes one layer of escaping; nobody means more layers than this.
constexpr int kRoundsMax = 16;

// Latin ligatures and digraphs in code point order; the quote mark in U+0149 is already straight.
struct Ligature {
  int32_t code;
  std::string_view letters;
};
constexpr Ligature kLigatures[] = {
    {0x0132, "IJ"},      {0x0133, "ij"}, {0x0149, "'n"}, {0x01C4, "D\u017D"}, {0x01C5, "D\u017E"},
    {0x01C6, "d\u017E"}, {0x01C7, "LJ"}, {0x01C8, "Lj"}, {0x01C9, "lj"},      {0x01CA, "NJ"},
    {0x01CB, "Nj"},      {0x01CC, "nj"}, {0x01F1, "DZ"}, {0x01F2, "Dz"},      {0x01F3, "dz"},
    {0xFB00, "ff"},      {0xFB01, "fi"}, {0xFB02, "fl"}, {0xFB03, "ffi"},     {0xFB04, "ffl"},
    {0xFB05, "\u017Ft"}, {0xFB06, "st"}};

void AppendFixed(int32_t code, std::string& out) {
  code = FromWindows1252(code);
  const auto* ligature =
      std::lower_bound(std::begin(kLigatures), std::end(kLigatures), code,
                       [](const Ligature& entry, int32_t key) { return entry.code < key; });
  if (ligature != std::end(kLigatures) && ligature->code == code) {
    out.append(ligature->letters);
  } else if (code >= 0xFF01 && code <= 0xFFEF) {
    std::string one;
    AppendUtf8(code, one);
    out.append(ToUnicodeForm(UnicodeForm::kNfkc, one));
  } else if (code == 0x3000) {
    out.push_back(' ');
  } else if (code == 0x02BC || (code >= 0x2018 && code <= 0x201B)) {
    out.push_back('\'');
  } else if (code >= 0x201C && code <= 0x201F) {
    out.push_back('"');
  } else if (code == '\r' || code == 0x2028 || code == 0x2029 || code == 0x85) {
    out.push_back('\n');
  } else {
    AppendUtf8(code, out);
  }
}

// Bytes of a terminal escape such as ESC [ 3 1 m at the start of text; 0 when there is none.
size_t TerminalEscape(std::string_view text) {
  if (!text.starts_with("\x1B[")) return 0;
  const size_t end = text.find_first_not_of("0123456789;", 2);
  if (end == std::string_view::npos) return 0;
  const char last = static_cast<char>(text[end] | 0x20);
  return last >= 'a' && last <= 'z' ? end + 1 : 0;
}

bool IsRemoved(int32_t code) {
  return (code >= 0 && code < 0x09) || code == 0x0B || (code >= 0x0E && code < 0x20) ||
         code == 0x7F || (code >= 0x206A && code < 0x2070) || code == 0xFEFF ||
         (code >= 0xFFF9 && code < 0xFFFD);
}

std::string FixCharacters(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = DecodeUtf8(text, at);
    if (!text.substr(at).starts_with("\r\n")) AppendFixed(c.code, out);
    at += c.bytes;
  }
  return out;
}

std::string RemoveControls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    if (const size_t escape = TerminalEscape(text.substr(at))) {
      at += escape;
      continue;
    }
    const Utf8Char c = DecodeUtf8(text, at);
    if (!IsRemoved(c.code)) out.append(text.substr(at, c.bytes));
    at += c.bytes;
  }
  return out;
}

std::string FixLine(std::string_view line, bool unescape) {
  std::string out(line);
  for (int round = 0; round < kRoundsMax; ++round) {
    std::string next = unescape ? UnescapeHtml(out, HtmlReferences::kClosed) : out;
    next = ToUnicodeForm(UnicodeForm::kNfc, RemoveControls(FixCharacters(next)));
    if (next == out) break;
    out = std::move(next);
  }
  return out;
}

}  // namespace

std::string FixText(std::string_view text) {
  std::string out;
  bool unescape = true;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = end == std::string_view::npos ? text : text.substr(0, end + 1);
    // From the first < on the text may be HTML itself, so its references are left for later.
    if (line.find('<') != std::string_view::npos) unescape = false;
    out.append(FixLine(line, unescape));
    text.remove_prefix(line.size());
  }
  return out;
}

}  // namespace longtake
