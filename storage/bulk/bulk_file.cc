// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/bulk/bulk_file.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/checked.h"

namespace longtake {
namespace {

static_assert(std::endian::native == std::endian::little, "tables are written as they lie");

std::vector<uint32_t> PieceCrcs(std::span<const std::byte> bytes) {
  std::vector<uint32_t> crcs;
  crcs.reserve(CeilDiv(bytes.size(), kBulkPieceBytes));
  while (!bytes.empty()) {
    const size_t piece = std::min<size_t>(bytes.size(), kBulkPieceBytes);
    crcs.push_back(Crc32c(bytes.first(piece)));
    bytes = bytes.subspan(piece);
  }
  return crcs;
}

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
                                                           const std::string& path) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file, files.Create(path));
  return std::unique_ptr<BulkFile>(new BulkFile(files, std::move(file), 0));
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
  return std::unique_ptr<BulkFile>(new BulkFile(files, std::move(file), end));
}

absl::StatusOr<BulkExtent> BulkFile::Append(std::span<const std::byte> bytes) {
  LT_RETURN_IF_ERROR(failed_);
  const std::vector<uint32_t> table = PieceCrcs(bytes);
  const BulkExtent extent = {.offset = CeilDiv(end_, kBulkAlignment) * kBulkAlignment,
                             .bytes = bytes.size(),
                             .table_crc = Crc32c(std::as_bytes(std::span(table))),
                             .hash = Xxh3Hash128(bytes)};
  failed_ = Write(extent, bytes, table);
  LT_RETURN_IF_ERROR(failed_);
  return extent;
}

absl::Status BulkFile::Write(const BulkExtent& extent, std::span<const std::byte> bytes,
                             std::span<const uint32_t> table) {
  const std::optional<uint64_t> end = extent.end();
  if (!end) return absl::ResourceExhaustedError(path() + ": size overflows 64 bits");
  LT_RETURN_IF_ERROR(file_->WriteAt(extent.offset, bytes));
  LT_RETURN_IF_ERROR(file_->WriteAt(extent.offset + extent.bytes, std::as_bytes(table)));
  end_ = *end;
  return absl::OkStatus();
}

absl::Status BulkFile::Sync() {
  LT_RETURN_IF_ERROR(failed_);
  failed_ = file_->Sync();
  if (failed_.ok() && !name_synced_) failed_ = files_.SyncDir(DirName(path()));
  name_synced_ = failed_.ok();
  return failed_;
}

}  // namespace longtake
