// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/json_fields.h"

#include <limits>

namespace longtake {

const nlohmann::json* JsonObject::Find(const char* name) const {
  if (!value.is_object()) return nullptr;
  const auto member = value.find(name);
  return member == value.end() || member->is_null() ? nullptr : &*member;
}

absl::StatusOr<std::string> JsonObject::String(const char* name) const {
  const nlohmann::json* member = Find(name);
  if (member == nullptr || !member->is_string()) {
    return Error(std::string(name) + " must be a string");
  }
  return member->get<std::string>();
}

absl::StatusOr<int32_t> JsonObject::Int32(const char* name) const {
  const nlohmann::json* member = Find(name);
  if (member == nullptr || !member->is_number_unsigned() ||
      member->get<uint64_t>() > std::numeric_limits<int32_t>::max()) {
    return Error(std::string(name) + " must be a whole number from 0 to 2147483647");
  }
  return static_cast<int32_t>(member->get<uint64_t>());
}

absl::StatusOr<bool> JsonObject::BoolOr(const char* name, bool fallback) const {
  const nlohmann::json* member = Find(name);
  if (member == nullptr) return fallback;
  if (!member->is_boolean()) return Error(std::string(name) + " must be true or false");
  return member->get<bool>();
}

absl::StatusOr<std::string> JsonObject::StringOr(const char* name,
                                                 const std::string& fallback) const {
  if (Find(name) == nullptr) return fallback;
  return String(name);
}

absl::Status JsonObject::Error(const std::string& what) const {
  return absl::InvalidArgumentError(where + ": " + what);
}

}  // namespace longtake
