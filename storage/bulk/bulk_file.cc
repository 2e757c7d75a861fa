// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/bulk/bulk_file.h"

#include <algorithm>
#include <bit>

#include "base/checked.h"

namespace longtake {
namespace {

static_assert(std::endian::native == std::endian::little, "tables are written as they lie");

}  // namespace

uint64_t BulkExtent::table_bytes() const {
  const uint64_t pieces = bytes / kBulkPieceBytes + (bytes % kBulkPieceBytes != 0 ? 1 : 0);
  return pieces * sizeof(uint32_t);
}

std::optional<uint64_t> BulkExtent::end() const {
  const std::optional<uint64_t> behind = CheckedAdd(offset, bytes);
  return behind ? CheckedAdd(*behind, table_bytes()) : std::nullopt;
}

absl::StatusOr<std::unique_ptr<BulkFile>> BulkFile::Create(FileSystem& files,
                                                           const std::string& path,
                                                           SyncName sync_name) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.Create(path));
  if (!sync_name) sync_name = [&files, path] { return files.SyncDir(DirName(path)); };
  return std::unique_ptr<BulkFile>(new BulkFile(std::move(file), 0, std::move(sync_name)));
}

absl::StatusOr<std::unique_ptr<BulkFile>> BulkFile::Open(FileSystem& files, const std::string& path,
                                                         uint64_t end) {
  const absl::StatusOr<uint64_t> bytes = files.Size(path);
  if (absl::IsNotFound(bytes.status())) return absl::DataLossError(bytes.status().message());
  LT_RETURN_IF_ERROR(bytes);
  if (*bytes < end) {
    return absl::DataLossError(path + " ends at byte " + std::to_string(*bytes) +
                               ", its last extent at byte " + std::to_string(end));
  }
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.OpenReadWrite(path));
  LT_RETURN_IF_ERROR(file->Truncate(end));
  return std::unique_ptr<BulkFile>(new BulkFile(std::move(file), end, {}));
}

uint64_t BulkFile::RoomFor(uint64_t bytes) {
  const uint64_t all = bytes + BulkExtent{.bytes = bytes}.table_bytes();
  return CeilDiv(all, kBulkAlignment) * kBulkAlignment;
}

absl::Status BulkFile::WriteBehindThrough(std::span<std::byte> memory, uint64_t room) {
  LT_RETURN_IF_ERROR(failed_);
  LT_CHECK(end_ == 0 && !begun_.has_value());
  absl::StatusOr<std::unique_ptr<WriteBehind>> behind = WriteBehind::Open(*file_, room, memory);
  failed_ = behind.status();
  if (behind.ok()) behind_ = *std::move(behind);
  return failed_;
}

absl::Status BulkFile::WriteAt(uint64_t offset, std::span<const std::byte> bytes) {
  return behind_ == nullptr ? file_->WriteAt(offset, bytes) : behind_->Write(offset, bytes);
}

absl::StatusOr<BulkExtent> BulkFile::Append(std::span<const std::byte> bytes) {
  LT_RETURN_IF_ERROR(AppendPart(bytes));
  return EndExtent();
}

absl::Status BulkFile::AppendPart(std::span<const std::byte> bytes) {
  LT_RETURN_IF_ERROR(failed_);
  if (!begun_.has_value()) begun_ = Begun{.offset = CeilDiv(end_, kBulkAlignment) * kBulkAlignment};
  failed_ = WritePart(bytes);
  return failed_;
}

absl::Status BulkFile::WritePart(std::span<const std::byte> bytes) {
  const std::optional<uint64_t> at = CheckedAdd(begun_->offset, begun_->bytes);
  if (!at || !CheckedAdd(*at, bytes.size())) {
    return absl::ResourceExhaustedError(path() + ": size overflows 64 bits");
  }
  LT_RETURN_IF_ERROR(WriteAt(*at, bytes));
  begun_->hash.Update(bytes);
  Count(bytes);
  return absl::OkStatus();
}

void BulkFile::Count(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const uint64_t in_piece = begun_->bytes % kBulkPieceBytes;
    if (in_piece == 0) begun_->crcs.push_back(0);
    const auto part = bytes.first(std::min<size_t>(bytes.size(), kBulkPieceBytes - in_piece));
    begun_->crcs.back() = ExtendCrc32c(begun_->crcs.back(), part);
    begun_->bytes += part.size();
    bytes = bytes.subspan(part.size());
  }
}

absl::StatusOr<BulkExtent> BulkFile::EndExtent() {
  LT_RETURN_IF_ERROR(failed_);
  LT_CHECK(begun_.has_value());
  const BulkExtent extent = {.offset = begun_->offset,
                             .bytes = begun_->bytes,
                             .table_crc = Crc32c(std::as_bytes(std::span(begun_->crcs))),
                             .hash = begun_->hash.Digest()};
  failed_ = WriteTable(extent);
  begun_.reset();
  LT_RETURN_IF_ERROR(failed_);
  return extent;
}

absl::Status BulkFile::WriteTable(const BulkExtent& extent) {
  const std::optional<uint64_t> end = extent.end();
  if (!end) return absl::ResourceExhaustedError(path() + ": size overflows 64 bits");
  LT_RETURN_IF_ERROR(WriteAt(extent.offset + extent.bytes, std::as_bytes(std::span(begun_->crcs))));
  end_ = *end;
  return absl::OkStatus();
}

absl::Status BulkFile::WriteBack() {
  LT_RETURN_IF_ERROR(failed_);
  const uint64_t end = begun_.has_value() ? begun_->offset + begun_->bytes : end_;
  const Span before = std::exchange(sent_, {.offset = sent_.offset + sent_.bytes});
  sent_.bytes = end - std::min(end, sent_.offset);
  // Of no bytes both would mean all to the file's end.
  if (sent_.bytes > 0) failed_ = file_->BeginWriteBack(sent_.offset, sent_.bytes);
  if (failed_.ok() && before.bytes > 0) {
    failed_ = file_->AwaitWriteBack(before.offset, before.bytes);
  }
  return failed_;
}

absl::Status BulkFile::Sync() {
  LT_RETURN_IF_ERROR(failed_);
  if (behind_ != nullptr) failed_ = behind_->Flush();
  if (failed_.ok()) failed_ = file_->Sync();
  if (failed_.ok() && sync_name_) failed_ = std::exchange(sync_name_, {})();
  return failed_;
}

}  // namespace longtake
