// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a session may be called.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace longtake {

inline constexpr int64_t kSessionIdBytesMax = 64;

inline bool IsSessionId(const std::string& id) {
  return id.size() <= static_cast<size_t>(kSessionIdBytesMax) &&
         id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

}  // namespace longtake
