// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/bulk/extent_check.h"

#include <algorithm>
#include <cstring>

namespace longtake {

size_t ExtentCheck::next_bytes() const {
  return std::min(extent_.bytes - checked_, kBulkPieceBytes);
}

absl::Status ExtentCheck::CheckPlace(uint64_t file_bytes) const {
  if (extent_.offset % kBulkAlignment != 0) {
    return Damaged(extent_.offset, "no extent begins here");
  }
  const std::optional<uint64_t> end = extent_.end();
  if (end && *end <= file_bytes) return absl::OkStatus();
  return Damaged(extent_.offset, "an extent of " + std::to_string(extent_.bytes) +
                                     " bytes and its table, but the file ends at byte " +
                                     std::to_string(file_bytes));
}

absl::Status ExtentCheck::CheckTable(std::span<const std::byte> table) {
  LT_CHECK(!has_table_ && table.size() == extent_.table_bytes());
  if (Crc32c(table) != extent_.table_crc) {
    return Damaged(table_offset(), "checksum of the table differs");
  }
  if (extent_.bytes == 0 && hash_.Digest() != extent_.hash) {
    return Damaged(table_offset(), "hash of no bytes differs");
  }
  table_.resize(table.size() / sizeof(uint32_t));
  if (!table.empty()) std::memcpy(table_.data(), table.data(), table.size());
  has_table_ = true;
  return absl::OkStatus();
}

absl::Status ExtentCheck::CheckPiece(std::span<const std::byte> piece) {
  LT_CHECK(has_table_ && piece.size() == next_bytes());
  if (Crc32c(piece) != table_[checked_ / kBulkPieceBytes]) {
    return Damaged(next_offset(), "checksum of " + std::to_string(piece.size()) + " bytes differs");
  }
  hash_.Update(piece);
  checked_ += piece.size();
  if (checked_ == extent_.bytes && hash_.Digest() != extent_.hash) {
    return Damaged(extent_.offset, "hash of " + std::to_string(extent_.bytes) + " bytes differs");
  }
  return absl::OkStatus();
}

absl::Status ExtentCheck::Damaged(uint64_t offset, const std::string& what) const {
  return absl::DataLossError(path_ + " at byte " + std::to_string(offset) + ": " + what);
}

}  // namespace longtake
