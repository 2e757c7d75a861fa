// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/printable_text.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <cstdint>

#include "absl/strings/str_format.h"

namespace longtake {
namespace {

constexpr UChar32 kReplacement = 0xFFFD;

struct Piece {
  std::string text;
  size_t columns = 0;
};

bool IsControl(UChar32 code) {
  const int8_t type = u_charType(code);
  return type == U_CONTROL_CHAR || type == U_LINE_SEPARATOR || type == U_PARAGRAPH_SEPARATOR ||
         u_hasBinaryProperty(code, UCHAR_BIDI_CONTROL) != 0;
}

size_t Columns(UChar32 code) {
  const int8_t type = u_charType(code);
  if (type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK || type == U_FORMAT_CHAR) return 0;
  const int32_t width = u_getIntPropertyValue(code, UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

Piece Escaped(UChar32 code) {
  std::string text = absl::StrFormat("\\u%04x", code);
  const size_t columns = text.size();
  return {std::move(text), columns};
}

// The character at text[*at], as it is printed; moves *at behind it.
Piece NextPiece(std::string_view text, size_t* at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const size_t begin = *at;
  UChar32 code = 0;
  U8_NEXT(bytes, *at, text.size(), code);
  if (code < 0) {
    *at = begin + 1;
    return Escaped(kReplacement);
  }
  if (IsControl(code)) return Escaped(code);
  return {std::string(text.substr(begin, *at - begin)), Columns(code)};
}

}  // namespace

std::string PrintableText(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) out += NextPiece(text, &at).text;
  return out;
}

std::string PrintableLine(std::string_view text, size_t columns_max) {
  if (columns_max == 0) return "";
  std::string out;
  size_t columns = 0;
  size_t cut_bytes = 0;  // of out, where one column is left
  for (size_t at = 0; at < text.size();) {
    if (columns < columns_max) cut_bytes = out.size();
    const Piece piece = NextPiece(text, &at);
    columns += piece.columns;
    if (columns > columns_max) return out.substr(0, cut_bytes) + "…";
    out += piece.text;
  }
  return out;
}

}  // namespace longtake
