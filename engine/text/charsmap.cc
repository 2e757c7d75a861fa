// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/charsmap.h"

#include <algorithm>

#include "base/utf8.h"

namespace longtake {

namespace {

// The longest replacement in Unicode's compatibility mappings is 33 bytes.
constexpr size_t kReplacementBytesMax = 256;

// The parts of a trie unit (the layout of the Darts double array): a value unit has bit 31 set.
bool IsValue(uint32_t unit) { return unit >> 31 != 0; }
uint32_t Value(uint32_t unit) { return unit & 0x7FFFFFFFu; }
bool HasLeaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t Label(uint32_t unit) { return unit & 0x800000FFu; }
uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & 0x200u) >> 6); }

uint32_t LittleEndian32(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
  }
  return value;
}

absl::Status Broken(const std::string& what) {
  return absl::InvalidArgumentError("precompiled_charsmap: " + what);
}

}  // namespace

absl::StatusOr<Charsmap> Charsmap::Parse(std::string_view blob) {
  Charsmap map;
  if (blob.empty()) return map;
  if (blob.size() < 4) return Broken("shorter than its 4 byte header");
  const size_t trie_bytes = LittleEndian32(blob, 0);
  if (trie_bytes > blob.size() - 4 || trie_bytes % 4 != 0 || trie_bytes == 0) {
    return Broken("trie size of " + std::to_string(trie_bytes) + " bytes in a blob of " +
                  std::to_string(blob.size()));
  }
  map.replacements_ = std::string(blob.substr(4 + trie_bytes));
  if (!map.replacements_.empty() && map.replacements_.back() != '\0') {
    return Broken("the last replacement is not ended by NUL");
  }
  if (FirstInvalidUtf8(map.replacements_)) return Broken("a replacement is not valid UTF-8");
  size_t run_bytes = 0;
  for (const char c : map.replacements_) {
    run_bytes = c == '\0' ? 0 : run_bytes + 1;
    map.replacement_bytes_max_ = std::max(map.replacement_bytes_max_, run_bytes);
  }
  if (map.replacement_bytes_max_ > kReplacementBytesMax) {
    return Broken("a replacement is longer than " + std::to_string(kReplacementBytesMax) +
                  " bytes");
  }
  map.units_.reserve(trie_bytes / 4);
  for (size_t i = 0; i < trie_bytes / 4; ++i) {
    const uint32_t unit = LittleEndian32(blob, 4 + 4 * i);
    if (IsValue(unit) && Value(unit) >= map.replacements_.size()) {
      return Broken("unit " + std::to_string(i) + " points behind the replacements");
    }
    map.units_.push_back(unit);
  }
  return map;
}

std::string_view Charsmap::Replacement(uint32_t offset) const {
  const std::string_view rest = std::string_view(replacements_).substr(offset);
  return rest.substr(0, rest.find('\0'));
}

std::optional<Charsmap::Match> Charsmap::Find(std::string_view text, bool shortest) const {
  std::optional<Match> best;
  if (units_.empty()) return best;
  size_t at = Offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    at ^= byte;
    if (at >= units_.size() || Label(units_[at]) != byte) break;
    const uint32_t unit = units_[at];
    at ^= Offset(unit);
    if (at >= units_.size()) break;
    if (!HasLeaf(unit)) continue;
    if (!IsValue(units_[at])) break;
    best = Match{Replacement(Value(units_[at])), i + 1};
    if (shortest) break;
  }
  return best;
}

}  // namespace longtake
