// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Unigram segmentation (docs/spec 5.4): of all ways to cut a text into pieces, the one with the
// largest sum of scores. Sums are fp64 and the first found of equal ways wins, as in the published
// fast tokenizer. A character that no piece covers alone costs the smallest score - 10; neighbours
// of that kind become one unknown id, or their bytes when byte fallback is on. Ownership: owns
// copies of the pieces. Thread rule: immutable after Create, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status_macros.h"
#include "engine/text/piece_index.h"

namespace longtake {

inline constexpr size_t kPiecesMax = size_t{1} << 20;
inline constexpr size_t kPieceBytesMax = 1024;

// One vocabulary entry; its id is its place in the vocabulary.
struct UnigramPiece {
  std::string text;
  double score = 0;
  bool found_in_text = true;  // false: control, unknown, unused and byte pieces of a spiece.model
};

struct UnigramSpec {
  std::vector<UnigramPiece> pieces;
  int32_t unknown_id = -1;
  double score_min = 0;  // of the pieces the format counts
  bool byte_fallback = false;
  std::array<int32_t, 256> byte_ids{};  // -1: there is no such piece
};

class Unigram {
 public:
  // InvalidArgument naming the piece: no or too many pieces, a piece that is empty, too long, a
  // duplicate or not UTF-8, a score that is not finite, an unknown id outside the vocabulary.
  static absl::StatusOr<Unigram> Create(UnigramSpec spec);

  Unigram() = default;

  // Appends the ids of word. Work: word bytes x longest matching piece; memory: 24 bytes per byte.
  void Encode(std::string_view word, std::vector<int32_t>& ids) const;

  int32_t size() const { return static_cast<int32_t>(scores_.size()); }

 private:
  struct Node;
  void Extend(std::string_view word, size_t begin, std::vector<Node>& nodes) const;
  void AppendUnknown(std::string_view text, std::vector<int32_t>& ids) const;

  PieceIndex index_;
  std::vector<double> scores_;  // [pieces]
  double unknown_score_ = 0;
  int32_t unknown_id_ = 0;
  bool byte_fallback_ = false;
  std::array<int32_t, 256> byte_ids_{};
};

}  // namespace longtake
