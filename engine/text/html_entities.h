// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The named character references of HTML 5. The table in html_entities.inc is made by
// tools/text/html_entities.py. Thread rule: any thread.
#pragma once

#include <string>
#include <string_view>

namespace longtake {

struct HtmlEntity {
  std::string_view name;  // without & and ;
  std::string text;       // UTF-8, one or two characters
  bool bare = false;      // known without the semicolon, too
};

// The entity of exactly this name (case matters), or nullptr. Lives as long as the program.
const HtmlEntity* FindHtmlEntity(std::string_view name);

}  // namespace longtake
