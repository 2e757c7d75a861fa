// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/unigram.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/utf8.h"

namespace longtake {

namespace {

constexpr double kUnknownPenalty = 10.0;

absl::Status CheckPiece(const UnigramPiece& piece, size_t id) {
  const std::string name = "piece " + std::to_string(id);
  if (piece.text.empty()) return absl::InvalidArgumentError(name + " is empty");
  if (piece.text.size() > kPieceBytesMax) {
    return absl::InvalidArgumentError(name + " is longer than " + std::to_string(kPieceBytesMax) +
                                      " bytes");
  }
  if (FirstInvalidUtf8(piece.text)) return absl::InvalidArgumentError(name + " is not valid UTF-8");
  if (!std::isfinite(piece.score)) {
    return absl::InvalidArgumentError(name + " has a score that is not finite");
  }
  return absl::OkStatus();
}

}  // namespace

// The best way to reach one byte offset of the word.
struct Unigram::Node {
  double score = 0;
  size_t begin = 0;  // where its last piece starts
  int32_t id = -1;   // its last piece; -1: not reached yet
};

absl::StatusOr<Unigram> Unigram::Create(UnigramSpec spec) {
  if (spec.pieces.empty() || spec.pieces.size() > kPiecesMax) {
    return absl::InvalidArgumentError("vocabulary of " + std::to_string(spec.pieces.size()) +
                                      " pieces; 1 to " + std::to_string(kPiecesMax) +
                                      " are supported");
  }
  if (spec.unknown_id < 0 || static_cast<size_t>(spec.unknown_id) >= spec.pieces.size()) {
    return absl::InvalidArgumentError("unknown piece id " + std::to_string(spec.unknown_id) +
                                      " is outside the vocabulary of " +
                                      std::to_string(spec.pieces.size()));
  }
  Unigram model;
  model.scores_.reserve(spec.pieces.size());
  std::vector<PieceIndex::Piece> found;
  found.reserve(spec.pieces.size());
  for (size_t id = 0; id < spec.pieces.size(); ++id) {
    const UnigramPiece& piece = spec.pieces[id];
    LT_RETURN_IF_ERROR(CheckPiece(piece, id));
    model.scores_.push_back(piece.score);
    if (piece.found_in_text) found.push_back({piece.text, static_cast<int32_t>(id)});
  }
  LT_ASSIGN_OR_RETURN(model.index_, PieceIndex::Create(std::move(found)));
  model.unknown_id_ = spec.unknown_id;
  model.unknown_score_ = spec.score_min - kUnknownPenalty;
  model.byte_fallback_ = spec.byte_fallback;
  model.byte_ids_ = spec.byte_ids;
  return model;
}

void Unigram::Extend(std::string_view word, size_t begin, std::vector<Node>& nodes) const {
  const double base = nodes[begin].score;
  const auto offer = [&](size_t end, double score, int32_t id) {
    Node& node = nodes[end];
    if (node.id < 0 || score > node.score) node = {score, begin, id};
  };
  const size_t char_bytes = DecodeUtf8(word, begin).bytes;
  bool char_is_piece = false;
  PieceIndex::Walk walk = index_.Start();
  for (size_t end = begin; end < word.size() && walk.Step(static_cast<uint8_t>(word[end]));) {
    ++end;
    const int32_t id = walk.id();
    if (id < 0) continue;
    offer(end, base + scores_[static_cast<size_t>(id)], id);
    char_is_piece = char_is_piece || end - begin == char_bytes;
  }
  if (!char_is_piece) offer(begin + char_bytes, base + unknown_score_, unknown_id_);
}

void Unigram::AppendUnknown(std::string_view text, std::vector<int32_t>& ids) const {
  const auto byte_id = [this](char c) { return byte_ids_[static_cast<uint8_t>(c)]; };
  if (!byte_fallback_ ||
      std::any_of(text.begin(), text.end(), [&](char c) { return byte_id(c) < 0; })) {
    ids.push_back(unknown_id_);
    return;
  }
  for (const char c : text) ids.push_back(byte_id(c));
}

void Unigram::Encode(std::string_view word, std::vector<int32_t>& ids) const {
  if (word.empty()) return;
  std::vector<Node> nodes(word.size() + 1);
  for (size_t at = 0; at < word.size(); at += DecodeUtf8(word, at).bytes) Extend(word, at, nodes);

  std::vector<size_t> path;  // ends of the pieces, last first
  for (size_t end = word.size(); end > 0; end = nodes[end].begin) path.push_back(end);
  while (!path.empty()) {
    const size_t begin = nodes[path.back()].begin;
    if (nodes[path.back()].id != unknown_id_) {
      ids.push_back(nodes[path.back()].id);
      path.pop_back();
      continue;
    }
    size_t end = begin;
    for (; !path.empty() && nodes[path.back()].id == unknown_id_; path.pop_back()) {
      end = path.back();
    }
    AppendUnknown(word.substr(begin, end - begin), ids);
  }
}

}  // namespace longtake
