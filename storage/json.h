// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// JSON from files we did not write: one parse that refuses what the library would let pass (a key
// twice in one object, nesting beyond any real file) and never throws.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/status_macros.h"

namespace longtake {

using Json = nlohmann::json;  // keys sorted, so that dump() is deterministic

constexpr int kJsonDepthMax = 32;

// False for text with a NUL, which no JSON holds but the library takes for the end, whatever
// follows.
bool IsJsonText(std::string_view text);

// INVALID_ARGUMENT naming what (a path) and, for a duplicate, the key. Pure, any thread.
absl::StatusOr<Json> ParseJson(std::string_view text, const std::string& what);

// Compact and deterministic. Text that is not UTF-8 is replaced, where the library would throw.
std::string DumpJson(const Json& json);

// Fields of an object; INVALID_ARGUMENT naming what and field when absent or of another type.
absl::StatusOr<std::string> JsonString(const Json& object, const char* field,
                                       const std::string& what);
absl::StatusOr<uint64_t> JsonU64(const Json& object, const char* field, const std::string& what);

}  // namespace longtake
