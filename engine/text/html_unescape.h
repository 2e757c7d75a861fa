// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Character references of HTML to the characters they stand for, by the rules of the HTML 5
// standard for valid and invalid ones (docs/spec 5.3). Thread rule: pure function, any thread.
// Errors: none; what is no reference stays as it is.
#pragma once

#include <string>
#include <string_view>

namespace longtake {

enum class HtmlReferences {
  kAll,     // as a browser reads text: the semicolon may be missing
  kClosed,  // only what is unmistakable: the whole reference with its semicolon
};

// text is valid UTF-8.
std::string UnescapeHtml(std::string_view text, HtmlReferences which);

}  // namespace longtake
