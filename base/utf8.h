// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The few UTF-8 steps that are needed, on top of ICU's tables.
// Thread rule: pure functions, any thread. Offsets and lengths are bytes; code points are int32_t.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace longtake {

struct Utf8Char {
  int32_t code = -1;  // -1: the byte at this place starts no valid character
  size_t bytes = 1;   // how far to go on; 1 for an invalid byte
};

// The character that starts at text[at]; requires at < text.size().
Utf8Char DecodeUtf8(std::string_view text, size_t at);

// Offset of the first byte that is not part of valid UTF-8; nullopt when all is valid.
std::optional<size_t> FirstInvalidUtf8(std::string_view text);

// Every invalid byte becomes U+FFFD.
std::string ReplaceInvalidUtf8(std::string_view text);

// Appends a scalar value; anything else (surrogate, too large, negative) becomes U+FFFD.
void AppendUtf8(int32_t code, std::string& out);

// The Unicode property White_Space.
bool IsWhiteSpace(int32_t code);

}  // namespace longtake
