// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/model/config_reader.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace longtake {

ConfigReader::ConfigReader(const Json& object, std::string what)
    : object_(object), what_(std::move(what)) {
  if (!object_.is_object()) {
    status_ = absl::InvalidArgumentError(absl::StrCat(what_, ": not a JSON object"));
  }
}

const Json* ConfigReader::Find(const std::string& name) const {
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(name);
  if (found == object_.end() || found->is_null()) return nullptr;
  return &*found;
}

void ConfigReader::Refuse(const std::string& name, std::string_view why) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(absl::StrCat(what_, ": ", name, ": ", std::string(why)));
}

int64_t ConfigReader::Int(const IntField& field) {
  const Json* value = Find(field.name);
  if (value == nullptr) return field.missing;
  // Unsigned values above the int64 range must not wrap into it.
  const bool fits = value->is_number_unsigned()
                        ? value->get<uint64_t>() <= static_cast<uint64_t>(field.max)
                        : value->is_number_integer() && value->get<int64_t>() <= field.max &&
                              value->get<int64_t>() >= field.min;
  if (!fits || value->get<int64_t>() < field.min) {
    Refuse(field.name, absl::StrCat("must be an integer from ", field.min, " to ", field.max));
    return field.missing;
  }
  return value->get<int64_t>();
}

double ConfigReader::Positive(const std::string& name, double missing, double max) {
  const Json* value = Find(name);
  if (value == nullptr) return missing;
  const double number = value->is_number() ? value->get<double>() : -1.0;
  if (!(number > 0.0) || !(number <= max)) {
    Refuse(name, absl::StrCat("must be a number above 0, at most ", max));
    return missing;
  }
  return number;
}

bool ConfigReader::Bool(const std::string& name, bool missing) {
  const Json* value = Find(name);
  if (value == nullptr) return missing;
  if (!value->is_boolean()) {
    Refuse(name, "must be true or false");
    return missing;
  }
  return value->get<bool>();
}

void ConfigReader::RequireString(const std::string& name, std::string_view only) {
  const Json* value = Find(name);
  if (value == nullptr) return;
  if (!value->is_string() || value->get_ref<const std::string&>() != only) {
    Refuse(name, absl::StrCat("only \"", std::string(only), "\" is supported"));
  }
}

void ConfigReader::RequireAbsent(const std::string& name, std::string_view variant) {
  if (Find(name) != nullptr) {
    Refuse(name, absl::StrCat(std::string(variant), " is not supported"));
  }
}

}  // namespace longtake
