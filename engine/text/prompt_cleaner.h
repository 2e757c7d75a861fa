// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Cleans a prompt as Wan's pipeline does before tokenizing (docs/spec 5.3), in this order:
// character repairs (text_fixes.h), HTML references twice, then every run of whitespace becomes one
// space and none is left at the ends. Mojibake repair is left out: a text decoded with the wrong
// encoding stays as it is. Thread rule: pure function, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status_macros.h"

namespace longtake {

inline constexpr size_t kCleanInputBytesMax = size_t{1} << 20;

// InvalidArgument when the prompt is not valid UTF-8 (naming the byte offset) or over
// kCleanInputBytesMax.
absl::StatusOr<std::string> CleanPrompt(std::string_view prompt);

}  // namespace longtake
