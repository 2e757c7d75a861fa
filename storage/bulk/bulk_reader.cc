// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/bulk/bulk_reader.h"

#include <algorithm>

namespace longtake {

absl::StatusOr<std::unique_ptr<BulkReader>> BulkReader::Open(FileSystem& files,
                                                             const std::string& path,
                                                             const BulkExtent& extent) {
  auto file = files.OpenRead(path, ReadMode::kBuffered);
  if (absl::IsNotFound(file.status())) return absl::DataLossError(file.status().message());
  LT_RETURN_IF_ERROR(file);
  std::unique_ptr<BulkReader> reader(new BulkReader(std::move(*file), extent));
  LT_RETURN_IF_ERROR(reader->CheckSize());
  LT_RETURN_IF_ERROR(reader->ReadTable());
  return reader;
}

absl::Status BulkReader::CheckSize() {
  LT_ASSIGN_OR_RETURN(const uint64_t file_bytes, file_->Size());
  const std::optional<uint64_t> end = extent_.end();
  if (end && *end <= file_bytes) return absl::OkStatus();
  return Damaged(extent_.offset, "an extent of " + std::to_string(extent_.bytes) +
                                     " bytes and its table, but the file ends at byte " +
                                     std::to_string(file_bytes));
}

absl::Status BulkReader::ReadTable() {
  const uint64_t offset = extent_.offset + extent_.bytes;
  table_.resize(extent_.table_bytes() / sizeof(uint32_t));
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(table_));
  LT_RETURN_IF_ERROR(file_->ReadAt(offset, bytes));
  if (Crc32c(bytes) != extent_.table_crc) return Damaged(offset, "checksum of the table differs");
  // Of nothing at all there is no piece that could be read.
  if (extent_.bytes == 0 && hash_.Digest() != extent_.hash) {
    return Damaged(offset, "hash of no bytes differs");
  }
  return absl::OkStatus();
}

size_t BulkReader::next_bytes() const { return std::min(extent_.bytes - read_, kBulkPieceBytes); }

absl::Status BulkReader::ReadInto(std::span<std::byte> out) {
  LT_CHECK(out.size() == next_bytes());
  if (out.empty()) return absl::OkStatus();
  const uint64_t offset = extent_.offset + read_;
  LT_RETURN_IF_ERROR(file_->ReadAt(offset, out));
  if (Crc32c(out) != table_[read_ / kBulkPieceBytes]) {
    return Damaged(offset, "checksum of " + std::to_string(out.size()) + " bytes differs");
  }
  hash_.Update(out);
  read_ += out.size();
  if (read_ == extent_.bytes && hash_.Digest() != extent_.hash) {
    return Damaged(extent_.offset, "hash of " + std::to_string(extent_.bytes) + " bytes differs");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::span<const std::byte>> BulkReader::Next() {
  piece_.resize(next_bytes());
  LT_RETURN_IF_ERROR(ReadInto(piece_));
  return std::span<const std::byte>(piece_);
}

absl::Status BulkReader::Damaged(uint64_t offset, const std::string& what) const {
  return absl::DataLossError(file_->path() + " at byte " + std::to_string(offset) + ": " + what);
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
