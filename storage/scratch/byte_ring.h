// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Pieces of one memory, taken in a ring and given back in about the same order: a piece given back
// before an older one becomes free together with that one. A plain value; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace longtake {

class ByteRing {
 public:
  explicit ByteRing(uint64_t bytes = 0) : bytes_(bytes) {}

  uint64_t bytes() const { return bytes_; }
  bool empty() const { return pieces_.empty(); }
  // Where the next piece begins, in one run of bytes; nullopt while there is no room.
  std::optional<uint64_t> Take(uint64_t bytes) {
    const std::optional<uint64_t> begin = Find(bytes);
    if (begin.has_value()) pieces_.push_back({*begin, *begin + bytes});
    return begin;
  }
  // A piece by where it begins.
  void Give(uint64_t begin) {
    for (Piece& piece : pieces_) {
      if (piece.begin != begin) continue;
      piece.given = true;
      break;
    }
    while (!pieces_.empty() && pieces_.front().given) pieces_.pop_front();
  }

 private:
  struct Piece {
    uint64_t begin = 0;
    uint64_t end = 0;
    bool given = false;
  };

  std::optional<uint64_t> Find(uint64_t bytes) const {
    if (pieces_.empty()) return bytes <= bytes_ ? std::optional<uint64_t>(0) : std::nullopt;
    const uint64_t oldest = pieces_.front().begin;
    const uint64_t end = pieces_.back().end;
    const bool wrapped = pieces_.back().begin < oldest;
    if (wrapped) return bytes <= oldest - end ? std::optional<uint64_t>(end) : std::nullopt;
    if (bytes <= bytes_ - end) return end;
    return bytes <= oldest ? std::optional<uint64_t>(0) : std::nullopt;
  }

  uint64_t bytes_;
  std::deque<Piece> pieces_;
};

}  // namespace longtake
