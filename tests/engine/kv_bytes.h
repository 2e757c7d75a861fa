// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// K/V of a frame that no table has: bytes, in pieces of at most so many.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "engine/kv/kv_pieces.h"

namespace longtake {

class KvBytes final : public KvSource {
 public:
  explicit KvBytes(std::vector<std::byte> bytes, size_t piece_bytes = 1000)
      : bytes_(std::move(bytes)), piece_bytes_(piece_bytes) {}
  uint64_t bytes() const override { return bytes_.size(); }
  absl::StatusOr<std::span<const std::byte>> Next(std::span<std::byte>) override {
    const auto piece = std::span(bytes_).subspan(at_, std::min(piece_bytes_, bytes_.size() - at_));
    at_ += piece.size();
    return piece;
  }

 private:
  const std::vector<std::byte> bytes_;
  const size_t piece_bytes_;
  size_t at_ = 0;
};

}  // namespace longtake
