// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

namespace longtake {

Utf8Char DecodeUtf8(std::string_view text, size_t at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data()) + at;
  // U8_NEXT counts in int32_t; a character never needs more than four bytes.
  const int32_t available = static_cast<int32_t>(text.size() - at < 4 ? text.size() - at : 4);
  int32_t used = 0;
  UChar32 code = 0;
  U8_NEXT(bytes, used, available, code);
  if (code < 0) return {};
  return {code, static_cast<size_t>(used)};
}

std::optional<size_t> FirstInvalidUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = DecodeUtf8(text, at);
    if (c.code < 0) return at;
    at += c.bytes;
  }
  return std::nullopt;
}

std::string ReplaceInvalidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Char c = DecodeUtf8(text, at);
    AppendUtf8(c.code, out);
    at += c.bytes;
  }
  return out;
}

void AppendUtf8(int32_t code, std::string& out) {
  if (code < 0 || code > 0x10FFFF || U_IS_SURROGATE(code)) code = 0xFFFD;
  uint8_t bytes[U8_MAX_LENGTH];
  int32_t count = 0;
  U8_APPEND_UNSAFE(bytes, count, code);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
}

bool IsWhiteSpace(int32_t code) { return u_isUWhiteSpace(code) != 0; }

}  // namespace longtake
