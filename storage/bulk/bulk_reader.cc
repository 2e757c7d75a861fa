// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/bulk/bulk_reader.h"

#include <algorithm>

namespace longtake {
namespace {

constexpr uint64_t kAheadBytes = 8 * kBulkPieceBytes;

}  // namespace

absl::StatusOr<std::unique_ptr<BulkReader>> BulkReader::Open(FileSystem& files,
                                                             const std::string& path,
                                                             const BulkExtent& extent) {
  auto file = files.OpenRead(path, ReadMode::kBuffered);
  if (absl::IsNotFound(file.status())) return absl::DataLossError(file.status().message());
  LT_RETURN_IF_ERROR(file);
  std::unique_ptr<BulkReader> reader(new BulkReader(std::move(*file), extent));
  LT_ASSIGN_OR_RETURN(const uint64_t file_bytes, reader->file_->Size());
  LT_RETURN_IF_ERROR(reader->check_.CheckPlace(file_bytes));
  // Of nothing at all there is no piece that could be read.
  if (extent.bytes == 0) {
    LT_RETURN_IF_ERROR(reader->ReadTable());
    return reader;
  }
  reader->file_->ReadAhead(reader->check_.table_offset(), extent.table_bytes());
  reader->ReadAhead();
  return reader;
}

absl::Status BulkReader::ReadTable() {
  std::vector<std::byte> table(check_.extent().table_bytes());
  LT_RETURN_IF_ERROR(file_->ReadAt(check_.table_offset(), table));
  return check_.CheckTable(table);
}

absl::Status BulkReader::ReadInto(std::span<std::byte> out) {
  LT_CHECK(out.size() == next_bytes());
  if (out.empty()) return absl::OkStatus();
  if (!check_.has_table()) LT_RETURN_IF_ERROR(ReadTable());
  ReadAhead();
  LT_RETURN_IF_ERROR(file_->ReadAt(check_.next_offset(), out));
  return check_.CheckPiece(out);
}

// The disk works on the next pieces while this one is checked.
void BulkReader::ReadAhead() {
  const BulkExtent& extent = check_.extent();
  const uint64_t read = check_.next_offset() - extent.offset;
  const uint64_t wanted = std::min(extent.bytes, read + kAheadBytes);
  if (wanted == ahead_ || (wanted < extent.bytes && wanted - ahead_ < kAheadBytes / 2)) return;
  file_->ReadAhead(extent.offset + ahead_, wanted - ahead_);
  ahead_ = wanted;
}

absl::StatusOr<std::span<const std::byte>> BulkReader::Next() {
  piece_.resize(next_bytes());
  LT_RETURN_IF_ERROR(ReadInto(piece_));
  return std::span<const std::byte>(piece_);
}

absl::StatusOr<std::vector<std::byte>> ReadBulk(FileSystem& files, const std::string& path,
                                                const BulkExtent& extent) {
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<BulkReader> reader,
                      BulkReader::Open(files, path, extent));
  std::vector<std::byte> bytes(extent.bytes);
  std::span<std::byte> left(bytes);
  while (!left.empty()) {
    const size_t piece = reader->next_bytes();
    LT_RETURN_IF_ERROR(reader->ReadInto(left.first(piece)));
    left = left.subspan(piece);
  }
  return bytes;
}

}  // namespace longtake
