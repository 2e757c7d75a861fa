// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// SentencePiece's precompiled character map: a double-array trie from byte sequences to
// replacements. Layout (docs/spec 5.4): u32 little-endian trie size in bytes, the trie units (u32),
// then replacements, each ended by NUL. Values in the trie are offsets into the replacements.
// Hostile bytes: units, values and replacement lengths are checked at Parse; lookups check every
// index, so a malformed trie can only fail to match.
// Ownership: owns a copy. Thread rule: immutable after Parse, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status_macros.h"

namespace longtake {

class Charsmap {
 public:
  struct Match {
    std::string_view replacement;  // valid as long as the map
    size_t bytes = 0;              // of the text that is replaced
  };

  // An empty blob is the empty map.
  static absl::StatusOr<Charsmap> Parse(std::string_view blob);

  Charsmap() = default;

  // The longest, or the shortest, key that text begins with.
  std::optional<Match> Longest(std::string_view text) const { return Find(text, false); }
  std::optional<Match> Shortest(std::string_view text) const { return Find(text, true); }

  size_t replacement_bytes_max() const { return replacement_bytes_max_; }

 private:
  std::optional<Match> Find(std::string_view text, bool shortest) const;
  std::string_view Replacement(uint32_t offset) const;

  std::vector<uint32_t> units_;
  std::string replacements_;  // ends with NUL unless empty
  size_t replacement_bytes_max_ = 0;
};

}  // namespace longtake
