// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/piece_index.h"

#include <algorithm>
#include <utility>

namespace longtake {

absl::StatusOr<PieceIndex> PieceIndex::Create(std::vector<Piece> pieces) {
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
    return a.text != b.text ? a.text < b.text : a.id < b.id;
  });
  PieceIndex index;
  size_t bytes = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].text.empty()) {
      return absl::InvalidArgumentError("piece " + std::to_string(pieces[i].id) + " is empty");
    }
    if (i > 0 && pieces[i].text == pieces[i - 1].text) {
      return absl::InvalidArgumentError("pieces " + std::to_string(pieces[i - 1].id) + " and " +
                                        std::to_string(pieces[i].id) + " are the same text \"" +
                                        std::string(pieces[i].text) + "\"");
    }
    bytes += pieces[i].text.size();
  }
  index.bytes_.reserve(bytes);
  index.starts_.reserve(pieces.size() + 1);
  index.ids_.reserve(pieces.size());
  for (const Piece& piece : pieces) {
    index.starts_.push_back(index.bytes_.size());
    index.bytes_.append(piece.text);
    index.ids_.push_back(piece.id);
  }
  index.starts_.push_back(index.bytes_.size());
  return index;
}

bool PieceIndex::Walk::Step(uint8_t byte) {
  // Sorted and unique: only the first piece of the range can end here, and it has no next byte.
  if (begin_ < end_ && index_->Length(begin_) == depth_) ++begin_;
  const auto first_with = [this](int value) {
    size_t low = begin_, high = end_;
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      if (index_->Byte(middle, depth_) < value) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  begin_ = first_with(byte);
  end_ = first_with(byte + 1);
  ++depth_;
  return begin_ < end_;
}

int32_t PieceIndex::Walk::id() const {
  return begin_ < end_ && index_->Length(begin_) == depth_ ? index_->ids_[begin_] : -1;
}

std::optional<PieceIndex::Match> PieceIndex::LongestPrefix(std::string_view text) const {
  std::optional<Match> best;
  Walk walk = Start();
  for (size_t i = 0; i < text.size() && walk.Step(static_cast<uint8_t>(text[i])); ++i) {
    if (walk.id() >= 0) best = Match{walk.id(), i + 1};
  }
  return best;
}

int32_t PieceIndex::Find(std::string_view text) const {
  const std::optional<Match> match = LongestPrefix(text);
  return match && match->bytes == text.size() ? match->id : -1;
}

}  // namespace longtake
