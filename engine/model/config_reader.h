// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Reads the fields of a published config.json one by one. The first bad field is remembered and
// named; later reads return their defaults, so a parser reads like a list of fields and checks
// once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status_macros.h"
#include "storage/json.h"

namespace longtake {

// One thread; borrows the object.
class ConfigReader {
 public:
  // what names the file in errors. An object that is none is the first error.
  ConfigReader(const Json& object, std::string what);

  struct IntField {
    std::string name;
    int64_t missing;  // the published default; also what null means
    int64_t min;
    int64_t max;
  };
  int64_t Int(const IntField& field);
  // A number in (0, max].
  double Positive(const std::string& name, double missing, double max);
  bool Bool(const std::string& name, bool missing);
  // Refuses any value but the one longtake computes; missing or null is that value.
  void RequireString(const std::string& name, std::string_view only);
  // Refuses a value that asks for a variant longtake does not run: anything but missing or null.
  void RequireAbsent(const std::string& name, std::string_view variant);
  // A refusal that needs several fields.
  void Refuse(const std::string& name, std::string_view why);

  // INVALID_ARGUMENT naming file and field, or OK.
  const absl::Status& status() const { return status_; }
  // The field's value, nullptr when missing or null.
  const Json* Find(const std::string& name) const;

 private:
  const Json& object_;
  std::string what_;
  absl::Status status_;
};

}  // namespace longtake
