// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Reads members of a JSON object with errors that name where they are. Wraps the JSON library so
// that none of its exceptions can be reached. Thread rule: pure functions, any thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/status_macros.h"

namespace longtake {

// One object of a JSON file together with its place, for example "tokenizer.json: model".
struct JsonObject {
  const nlohmann::json& value;
  std::string where;

  // The member, or nullptr when it is absent or null.
  const nlohmann::json* Find(const char* name) const;

  // InvalidArgument when the member is absent or of another kind.
  absl::StatusOr<std::string> String(const char* name) const;
  absl::StatusOr<int32_t> Int32(const char* name) const;  // 0 and up

  // As above, but fallback when absent or null.
  absl::StatusOr<bool> BoolOr(const char* name, bool fallback) const;
  absl::StatusOr<std::string> StringOr(const char* name, const std::string& fallback) const;

  absl::Status Error(const std::string& what) const;
};

}  // namespace longtake
