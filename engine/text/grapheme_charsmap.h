// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Applies a character map grapheme by grapheme, as the published fast tokenizer does: a grapheme
// under six bytes is replaced by the entry of its shortest key, if it has one; else each character
// is looked up. That a key shorter than the grapheme replaces the whole grapheme is part of the
// published behaviour. Thread rule: pure function, any thread. Errors: without ICU's break data
// every character is a grapheme.
#pragma once

#include <string>
#include <string_view>

#include "engine/text/charsmap.h"

namespace longtake {

// text is valid UTF-8 of less than 2 GiB.
std::string MapGraphemes(const Charsmap& charsmap, std::string_view text);

}  // namespace longtake
