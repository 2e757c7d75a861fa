// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/finite.h"

#include <bit>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"

namespace longtake {
namespace {

constexpr size_t kBlock = 1024;

bool IsNotFinite(float value) {
  return (std::bit_cast<uint32_t>(value) & 0x7f800000u) == 0x7f800000u;
}

bool IsNotFinite(uint16_t bf16) { return (bf16 & 0x7f80u) == 0x7f80u; }

// Of a fixed length and without a jump, so that the compiler makes vector code of it.
template <typename Value>
bool BlockIsFinite(std::span<const Value, kBlock> values) {
  std::conditional_t<sizeof(Value) == 2, uint16_t, uint32_t> found = 0;  // as wide as the values
  for (const Value value : values) found |= IsNotFinite(value) ? 1 : 0;
  return found == 0;
}

template <typename Value>
std::optional<size_t> First(std::span<const Value> values) {
  size_t at = 0;
  while (at + kBlock <= values.size() &&
         BlockIsFinite(values.subspan(at).template first<kBlock>())) {
    at += kBlock;
  }
  for (; at < values.size(); ++at) {
    if (IsNotFinite(values[at])) return at;
  }
  return std::nullopt;
}

}  // namespace

std::optional<size_t> FirstNotFinite(std::span<const float> values) { return First(values); }

std::optional<size_t> FirstNotFiniteBf16(std::span<const uint16_t> values) { return First(values); }

absl::Status CheckFinite(std::span<const float> values, const std::string& what) {
  const std::optional<size_t> first = FirstNotFinite(values);
  if (!first.has_value()) return absl::OkStatus();
  return Error(Reason::kNotFinite, absl::StrCat(what, ": value ", *first, " of ", values.size(),
                                                " is ", values[*first], ", not a finite number"));
}

}  // namespace longtake
