// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/units.h"

#include <charconv>
#include <cmath>
#include <span>

#include "absl/strings/str_cat.h"
#include "base/checked.h"

namespace longtake {
namespace {

struct Unit {
  const char* name;
  uint64_t scale;
};

constexpr Unit kByteUnits[] = {
    {"TiB", uint64_t{1} << 40},
    {"GiB", uint64_t{1} << 30},
    {"MiB", uint64_t{1} << 20},
    {"KiB", uint64_t{1} << 10},
    {"TB", 1'000'000'000'000},
    {"GB", 1'000'000'000},
    {"MB", 1'000'000},
    {"kB", 1'000},
    {"B", 1},
};

constexpr Unit kTimeUnits[] = {
    {"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000},
    {"ms", 1'000'000},        {"us", 1'000},         {"ns", 1},
};

const Unit* FindUnit(std::span<const Unit> units, const std::string& name) {
  for (const Unit& unit : units) {
    if (name == unit.name) return &unit;
  }
  return nullptr;
}

absl::Status Bad(const std::string& text, const std::string& expected) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not ", expected));
}

}  // namespace

absl::StatusOr<uint64_t> ParseCount(const std::string& text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return Bad(text, "a whole number");
  return value;
}

absl::StatusOr<uint64_t> ParseCountIn(const std::string& text, uint64_t least, uint64_t most) {
  const absl::StatusOr<uint64_t> value = ParseCount(text);
  if (value.ok() && *value >= least && *value <= most) return *value;
  return Bad(text, absl::StrCat("a whole number from ", least, " to ", most));
}

absl::StatusOr<double> ParseDecimal(const std::string& text) {
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  // from_chars also reads "inf" and "nan".
  if (error != std::errc() || stop != end || !std::isfinite(value)) return Bad(text, "a number");
  return value;
}

absl::StatusOr<uint64_t> ParseBytes(const std::string& text) {
  const std::string expected = "a size such as 4096, 64MiB or 24GiB";
  const size_t digits = text.find_first_not_of("0123456789");
  const absl::StatusOr<uint64_t> number = ParseCount(text.substr(0, digits));
  if (!number.ok()) return Bad(text, expected);
  if (digits == std::string::npos) return *number;
  const Unit* unit = FindUnit(kByteUnits, text.substr(digits));
  if (unit == nullptr) return Bad(text, expected);
  const absl::StatusOr<uint64_t> bytes = CheckedProduct({*number, unit->scale}, "size");
  if (!bytes.ok()) return Bad(text, expected);
  return *bytes;
}

std::string FormatBytes(uint64_t bytes) {
  for (const Unit& unit : std::span(kByteUnits).first(4)) {
    if (bytes >= unit.scale && bytes % unit.scale == 0) {
      return absl::StrCat(bytes / unit.scale, unit.name);
    }
  }
  return absl::StrCat(bytes, "B");
}

absl::StatusOr<int64_t> ParseDurationNanos(const std::string& text) {
  const std::string expected = "a duration such as 500ms, 60s or 2h";
  if (text == "0") return 0;
  double number = 0.0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  // The sign is looked at by itself, since -0 is not less than 0.
  if (error != std::errc() || text.starts_with('-') || !(number >= 0.0)) {
    return Bad(text, expected);
  }
  const Unit* unit = FindUnit(kTimeUnits, std::string(stop, end));
  if (unit == nullptr) return Bad(text, expected);
  const double nanos = number * static_cast<double>(unit->scale);
  if (!(nanos < 9e18)) return Bad(text, expected);
  return std::llround(nanos);
}

std::string FormatDuration(int64_t nanos) {
  if (nanos == 0) return "0s";
  for (const Unit& unit : kTimeUnits) {
    const auto scale = static_cast<int64_t>(unit.scale);
    if (nanos % scale == 0) return absl::StrCat(nanos / scale, unit.name);
  }
  return absl::StrCat(nanos, "ns");
}

}  // namespace longtake
