// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/json_limits.h"

#include <algorithm>

namespace longtake {

absl::Status CheckJsonLimits(std::string_view json, const JsonLimits& limits,
                             const std::string& file) {
  const auto over = [&file](const char* what, size_t limit) {
    return absl::InvalidArgumentError(file + ": more than " + std::to_string(limit) + " " + what);
  };
  if (json.size() > limits.bytes_max) return over("bytes", limits.bytes_max);
  size_t depth = 0, values = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;  // whatever is escaped does not end the string
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '[' || c == '{') {
      ++values;
      if (++depth > limits.depth_max) return over("levels of nesting", limits.depth_max);
    }
    if (c == ']' || c == '}') depth -= std::min<size_t>(depth, 1);
    if (c == ',' && ++values > limits.values_max) return over("values", limits.values_max);
  }
  return absl::OkStatus();
}

}  // namespace longtake
