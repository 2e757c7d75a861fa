// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Arithmetic on sizes that come from files and clients: every product and sum is checked before
// anything is allocated from it. Overflow gives nullopt, or a status that names the quantity.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

#include "base/status_macros.h"

namespace longtake {

inline std::optional<uint64_t> CheckedAdd(uint64_t a, uint64_t b) {
  uint64_t out = 0;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

inline std::optional<uint64_t> CheckedMul(uint64_t a, uint64_t b) {
  uint64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// The product of all factors; what names the quantity in the error.
inline absl::StatusOr<uint64_t> CheckedProduct(std::initializer_list<uint64_t> factors,
                                               const std::string& what) {
  uint64_t product = 1;
  for (uint64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product)) {
      return absl::InvalidArgumentError(what + ": size overflows 64 bits");
    }
  }
  return product;
}

// Elements of a shape; a negative extent or an overflow is an error naming what.
inline absl::StatusOr<uint64_t> ElementCount(std::span<const int64_t> shape,
                                             const std::string& what) {
  uint64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 0) return absl::InvalidArgumentError(what + ": negative extent in shape");
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(extent), &count)) {
      return absl::InvalidArgumentError(what + ": size overflows 64 bits");
    }
  }
  return count;
}

// Rounds up to a power-of-two alignment.
inline std::optional<uint64_t> CheckedAlignUp(uint64_t value, uint64_t alignment) {
  std::optional<uint64_t> padded = CheckedAdd(value, alignment - 1);
  if (!padded) return std::nullopt;
  return *padded & ~(alignment - 1);
}

// What falls to a part of a whole, rounded down: value * part / whole, where part is no more than
// that.
constexpr uint64_t ShareOf(uint64_t value, uint64_t part, uint64_t whole) {
  return value / whole * part + value % whole * part / whole;
}

constexpr uint64_t CeilDiv(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

}  // namespace longtake
