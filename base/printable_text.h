// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Text that came from elsewhere (a prompt, another program's error message, a file name), made fit
// for one line of a terminal or a log: it can neither end the line nor move the cursor, change the
// title or turn the order of what stands beside it. Pure functions; the results are valid UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace longtake {

// Control characters (C0, DEL, C1), line and paragraph separators and the controls of bidirectional
// text become "\u" and four hexadecimal digits; each byte that is not UTF-8 becomes "\ufffd". All
// else stays as it is, combining and wide characters included.
std::string PrintableText(std::string_view text);

// The same, cut to columns_max columns of a terminal: a wide character takes two, a combining one
// none. What was cut ends with "…", which takes the last column. Empty when columns_max is 0.
std::string PrintableLine(std::string_view text, size_t columns_max);

}  // namespace longtake
