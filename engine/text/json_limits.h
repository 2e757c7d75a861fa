// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A look over JSON text before a parser builds a tree from it: a small hostile file must not become
// a deep or a huge tree. Thread rule: pure function, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status_macros.h"

namespace longtake {

struct JsonLimits {
  size_t bytes_max = 0;
  size_t depth_max = 0;
  size_t values_max = 0;  // elements and members, all levels together
};

// InvalidArgument naming file and limit. Says nothing about whether the text is JSON.
absl::Status CheckJsonLimits(std::string_view json, const JsonLimits& limits,
                             const std::string& file);

}  // namespace longtake
