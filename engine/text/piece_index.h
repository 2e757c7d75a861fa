// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A set of byte strings with ids that can be walked one byte at a time, like a trie, but kept as
// one sorted array: it costs no more memory than the strings, and loading it is one sort.
// Ownership: owns copies of the strings. Thread rule: immutable after Create, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status_macros.h"

namespace longtake {

class PieceIndex {
 public:
  struct Piece {
    std::string_view text;
    int32_t id = 0;
  };
  struct Match {
    int32_t id = 0;
    size_t bytes = 0;
  };

  // The pieces that begin with the bytes stepped over so far. Valid as long as the index.
  class Walk {
   public:
    // Narrows to the pieces that go on with byte; false when there is none.
    bool Step(uint8_t byte);
    // The id of the piece that ends exactly here, or -1.
    int32_t id() const;

   private:
    friend class PieceIndex;
    explicit Walk(const PieceIndex& index) : index_(&index), end_(index.ids_.size()) {}
    const PieceIndex* index_;
    size_t begin_ = 0, end_;
    size_t depth_ = 0;
  };

  // Empty pieces and duplicates are InvalidArgument, naming both ids.
  static absl::StatusOr<PieceIndex> Create(std::vector<Piece> pieces);

  PieceIndex() = default;

  Walk Start() const { return Walk(*this); }
  bool empty() const { return ids_.empty(); }

  // The longest piece that text begins with.
  std::optional<Match> LongestPrefix(std::string_view text) const;
  // The id of exactly this text, or -1.
  int32_t Find(std::string_view text) const;

 private:
  size_t Length(size_t piece) const { return starts_[piece + 1] - starts_[piece]; }
  uint8_t Byte(size_t piece, size_t depth) const {
    return static_cast<uint8_t>(bytes_[starts_[piece] + depth]);
  }

  std::string bytes_;           // all pieces, sorted, one after another
  std::vector<size_t> starts_;  // [pieces + 1]
  std::vector<int32_t> ids_;    // [pieces]
};

}  // namespace longtake
