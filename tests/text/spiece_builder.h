// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Writes small spiece.model files for tests, field by field, so that they can also be wrong.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace longtake {

inline std::string WireVarint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
  return out;
}

inline std::string WireInt(uint32_t field, uint64_t value) {
  return WireVarint(uint64_t{field} << 3) + WireVarint(value);
}

inline std::string WireBytes(uint32_t field, std::string_view value) {
  return WireVarint(uint64_t{field} << 3 | 2) + WireVarint(value.size()) + std::string(value);
}

inline std::string WireFloat(uint32_t field, float value) {
  std::string out = WireVarint(uint64_t{field} << 3 | 5);
  const auto bits = std::bit_cast<uint32_t>(value);
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(bits >> (8 * i)));
  return out;
}

enum SpieceType { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

struct SpieceBuilder {
  std::string pieces, trainer, normalizer;

  SpieceBuilder& Add(std::string_view text, float score, SpieceType type = kNormal) {
    pieces += WireBytes(
        1, WireBytes(1, text) + WireFloat(2, score) + WireInt(3, static_cast<uint64_t>(type)));
    return *this;
  }
  // <pad> 0, </s> 1, <unk> 2, as UMT5 begins; the next piece is 3.
  SpieceBuilder& AddControls() {
    return Add("<pad>", 0, kControl).Add("</s>", 0, kControl).Add("<unk>", 0, kUnknown);
  }
  std::string Build() const { return pieces + WireBytes(2, trainer) + WireBytes(3, normalizer); }
};

}  // namespace longtake
