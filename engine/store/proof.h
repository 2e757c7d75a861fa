// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The checksum by which a row of the store proves itself, of all that it says.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/checksum.h"

namespace longtake {

// Numbers and texts one after the other, each with its length where it has one, so that no two
// different rows give the same bytes.
class Proof {
 public:
  Proof& Add(int64_t number) {
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof(number));
    return *this;
  }
  Proof& Add(std::string_view text) {
    Add(static_cast<int64_t>(text.size()));
    bytes_.append(text);
    return *this;
  }
  Proof& Add(const Hash128& hash) {
    return Add(std::bit_cast<int64_t>(hash.high)).Add(std::bit_cast<int64_t>(hash.low));
  }
  Hash128 hash() const { return Xxh3Hash128(std::as_bytes(std::span(bytes_))); }

 private:
  std::string bytes_;
};

using HashBytes = std::array<std::byte, sizeof(Hash128)>;

inline HashBytes ToBytes(const Hash128& hash) { return std::bit_cast<HashBytes>(hash); }

// Zeros for bytes that are no hash, which then prove nothing.
inline Hash128 ToHash(std::span<const std::byte> bytes) {
  Hash128 hash;
  if (bytes.size() == sizeof(hash)) std::memcpy(&hash, bytes.data(), sizeof(hash));
  return hash;
}

}  // namespace longtake
