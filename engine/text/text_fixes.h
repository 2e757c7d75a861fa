// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The character repairs that Wan's pipeline makes before tokenizing (docs/spec 5.3 step 1), after
// the documented behaviour of ftfy.fix_text: references, C1 controls, Latin ligatures, character
// width, curly quotes, line breaks, terminal escapes, control characters, NFC; repeated until
// nothing changes. Left out on purpose: mojibake repair (guessing a wrong decoding back) and
// all-capital HTML names. Thread rule: pure function, any thread. Errors: none.
#pragma once

#include <string>
#include <string_view>

namespace longtake {

// text is valid UTF-8 below 2 GiB.
std::string FixText(std::string_view text);

}  // namespace longtake
