// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/bulk/bulk_sequence.h"

#include <algorithm>
#include <vector>

#include "base/checked.h"

namespace longtake {

uint64_t BulkSequence::MemoryBytes(uint64_t extent_bytes) {
  const uint64_t slice = std::clamp(extent_bytes, kBulkAlignment, kBulkPieceBytes);
  return ReadAhead::kSlices * CeilDiv(slice, kBulkAlignment) * kBulkAlignment;
}

absl::StatusOr<std::unique_ptr<BulkSequence>> BulkSequence::Open(
    FileSystem& files, const std::string& path, std::span<const BulkExtent> extents,
    std::span<std::byte> memory) {
  auto ahead = ReadAhead::Open(files, path, memory);
  if (absl::IsNotFound(ahead.status())) return absl::DataLossError(ahead.status().message());
  LT_RETURN_IF_ERROR(ahead);
  std::unique_ptr<BulkSequence> sequence(new BulkSequence(*std::move(ahead)));
  for (const BulkExtent& extent : extents) {
    LT_CHECK(memory.size() >= MemoryBytes(extent.bytes));
    LT_RETURN_IF_ERROR(sequence->Add(path, extent));
  }
  return sequence;
}

// The table lies behind what it covers, and is needed before.
absl::Status BulkSequence::Add(const std::string& path, const BulkExtent& extent) {
  const ExtentCheck& check = checks_.emplace_back(path, extent);
  LT_RETURN_IF_ERROR(check.CheckPlace(ahead_->file_bytes()));
  ahead_->Add(check.table_offset(), extent.table_bytes());
  ahead_->Add(extent.offset, extent.bytes);
  return absl::OkStatus();
}

absl::StatusOr<std::span<const std::byte>> BulkSequence::Next() {
  LT_CHECK(!checks_.empty());
  ExtentCheck& check = checks_.front();
  if (!check.has_table()) LT_RETURN_IF_ERROR(ReadTable(check));
  if (check.next_bytes() == 0) {
    checks_.pop_front();
    return std::span<const std::byte>();
  }
  LT_ASSIGN_OR_RETURN(const std::span<const std::byte> piece, ahead_->Next());
  LT_RETURN_IF_ERROR(check.CheckPiece(piece));
  return piece;
}

absl::Status BulkSequence::ReadTable(ExtentCheck& check) {
  std::vector<std::byte> table;
  while (table.size() < check.extent().table_bytes()) {
    LT_ASSIGN_OR_RETURN(const std::span<const std::byte> part, ahead_->Next());
    table.insert(table.end(), part.begin(), part.end());
  }
  return check.CheckTable(table);
}

}  // namespace longtake
